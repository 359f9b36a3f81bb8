-- :sessions sessions of ten tenants, three games and 120 days, three tasks and four pieces of evidence each; with
-- events of the last month, and what was refused. Runs with search_path set to the data schema.

INSERT INTO sessions (tenant, session_id, game, player_id, kind, revision, status, close_reason, started_at, ended_at, event_count,
                      active_ms, complete, anomalous, flags, platform, locale, app_version, facts_sha256, partition, first_offset,
                      last_offset, repeats, client_started_at, client_ended_at, worker, reported_at, day)
SELECT CASE i % 10 WHEN 0 THEN 'acme' ELSE 't-' || i % 10 END, md5('s' || i)::uuid, ('{demo,maze,plain}'::text[])[1 + i / 10 % 3],
       'p-' || i / 10 * 7 % (:sessions / 40 + 1), 'play', 1 + i % 2, 'final', 'completed', at, at + interval '12 min', 40, 1000 * (i % 600),
       true, false, '[]', ('{web,ios,android}'::text[])[1 + i / 7 % 3], 'en-GB', '1.' || i % 4, md5('f' || i) || md5('g' || i), i % 24, i, i + 40,
       0, at, at, '0.1.0', at + interval '1 hour', (at AT TIME ZONE 'UTC')::date
  FROM generate_series(1, :sessions) i,
       LATERAL (SELECT timestamptz '2026-01-01 00:00Z' + i::bigint * 7919 % (120 * 86400) * interval '1 second' AS at) t;

INSERT INTO session_metrics (tenant, session_id, metrics_version, revision, duration_ms, active_ms, idle_ms, paused_ms, engagement_ratio,
                             longest_focus_ms, longest_idle_ms, distractions, tasks_started, tasks_completed, tasks_abandoned, completion_rate,
                             attempts, successes, failures, retries, failure_runs, wheel_spinning_tasks, hints, choices, leadership_choices,
                             questions, dialogues, dialogue_rereads, messages_sent, help_given, help_received, turns, event_count, out_of_order,
                             anomalous)
SELECT tenant, session_id, 1, revision, 720000, active_ms, 0, 0, active_ms / 720000.0, active_ms / 2, 0, 3, 3, first_offset % 4,
       0, first_offset % 4 / 3.0, 9, 4, 5, 2, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, event_count, 0, false
  FROM sessions;

INSERT INTO session_tasks (tenant, session_id, ordinal, game, player_id, task_id, starts, completions, abandons, attempts,
                           successes, hints, spent_ms, first_try)
SELECT tenant, session_id, n, game, player_id, 'L' || lpad(((first_offset / 10 * 7 + n * 13) % 40)::text, 2, '0'), 1, (first_offset + n) % 3 % 2,
       (first_offset + n) % 5 / 4, 3, (first_offset + n) % 2, n, CASE (first_offset + n) % 3 WHEN 1 THEN first_offset * 31 % 90000 END, n = 0
  FROM sessions, generate_series(0, 2) n;

INSERT INTO session_evidence (tenant, session_id, skill, source, signal, ordinal, successes, opportunities, weight, at)
SELECT tenant, session_id, '{resilience,problem_solving,self_regulation,empathy}', array_fill('game'::text, '{4}'), array_fill('signal'::text, '{4}'),
       array_fill(0::bigint, '{4}'), array_fill((first_offset % 3)::double precision, '{4}'), '{2,2,2,2}', '{1,1,1,1}', array_fill(started_at, '{4}')
  FROM sessions;

SELECT event_log_days(array_agg(day::date)) FROM generate_series(timestamp '2026-04-01', '2026-05-01', '1 day') day;
INSERT INTO event_log (tenant, session_id, partition, "offset", game, player_id, seq, event_id, event_type, timestamp, received_at, data)
SELECT tenant, session_id, partition, first_offset * 10 + n, game, player_id, n, md5(first_offset || '/' || n)::uuid, 'task.attempted',
       started_at + n * interval '1 min', started_at + n * interval '1 min', '{"task_id": "L07", "outcome": "failure"}'
  FROM sessions, generate_series(0, 3) n
 WHERE started_at >= '2026-04-01 00:00Z';

INSERT INTO quarantine (partition, "offset", tenant, game, reason, raw, received_at)
SELECT first_offset % 4, first_offset, tenant, game, 'invalid', '\x7b7d', reported_at FROM sessions WHERE first_offset % 20 < 2;

INSERT INTO activity_by_minute (tenant, game, minute, event_type, events)
SELECT tenant, game, date_trunc('minute', started_at), 'task.started', sum(event_count) FROM sessions GROUP BY 1, 2, 3;

SELECT recount();
ANALYZE;
