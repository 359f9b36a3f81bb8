CREATE TABLE session_metrics (
    tenant                         text             NOT NULL,
    session_id                     uuid             NOT NULL,
    metrics_version                bigint           NOT NULL,
    revision                       bigint           NOT NULL,
    duration_ms                    bigint           NOT NULL,
    active_ms                      bigint           NOT NULL,
    idle_ms                        bigint           NOT NULL,
    paused_ms                      bigint           NOT NULL,
    engagement_ratio               double precision,
    longest_focus_ms               bigint           NOT NULL,
    longest_idle_ms                bigint           NOT NULL,
    distractions                   bigint           NOT NULL,
    distractions_per_active_minute double precision,
    tasks_started                  bigint           NOT NULL,
    tasks_completed                bigint           NOT NULL,
    tasks_abandoned                bigint           NOT NULL,
    completion_rate                double precision,
    abandonment_rate               double precision,
    time_efficiency                double precision,
    attempts                       bigint           NOT NULL,
    successes                      bigint           NOT NULL,
    failures                       bigint           NOT NULL,
    success_rate                   double precision,
    first_try_success_rate         double precision,
    retries                        bigint           NOT NULL,
    persistence_rate               double precision,
    failure_runs                   bigint           NOT NULL,
    recovery_rate                  double precision,
    mean_recovery_ms               double precision,
    mean_attempt_latency_ms        double precision,
    sd_attempt_latency_ms          double precision,
    rapid_attempt_rate             double precision,
    wheel_spinning_tasks           bigint           NOT NULL,
    strategy_change_rate           double precision,
    hints                          bigint           NOT NULL,
    hints_per_task                 double precision,
    bottom_out_hint_rate           double precision,
    hint_before_attempt_rate       double precision,
    choices                        bigint           NOT NULL,
    choice_alignment_rate          double precision,
    mean_deliberation_ms           double precision,
    leadership_choices             bigint           NOT NULL,
    questions                      bigint           NOT NULL,
    question_accuracy              double precision,
    dialogues                      bigint           NOT NULL,
    dialogue_skip_rate             double precision,
    dialogue_rereads               bigint           NOT NULL,
    messages_sent                  bigint           NOT NULL,
    help_given                     bigint           NOT NULL,
    help_received                  bigint           NOT NULL,
    help_given_ratio               double precision,
    turns                          bigint           NOT NULL,
    voluntary_turn_rate            double precision,
    event_count                    bigint           NOT NULL,
    out_of_order                   bigint           NOT NULL,
    completeness                   double precision,
    anomalous                      boolean          NOT NULL,
    PRIMARY KEY (tenant, session_id)
) WITH (fillfactor = 75);

COMMENT ON TABLE session_metrics IS 'The metrics of each session in sessions, by the definitions of metrics_version; a ratio over nothing is null.';
COMMENT ON COLUMN session_metrics.tenant IS 'Whose data it is.';
COMMENT ON COLUMN session_metrics.session_id IS 'The session.';
COMMENT ON COLUMN session_metrics.metrics_version IS 'Version of the definitions that the figures follow.';
COMMENT ON COLUMN session_metrics.revision IS 'Revision of the session that the figures are of.';
COMMENT ON COLUMN session_metrics.duration_ms IS 'Client time from the first event to the last, in ms. Unit: ms.';
COMMENT ON COLUMN session_metrics.active_ms IS 'Time in gaps that are neither paused nor idle, in ms. Unit: ms.';
COMMENT ON COLUMN session_metrics.idle_ms IS 'Time in gaps longer than the idle threshold, in ms. Unit: ms.';
COMMENT ON COLUMN session_metrics.paused_ms IS 'Time away after session.paused or focus.lost, in ms. Unit: ms.';
COMMENT ON COLUMN session_metrics.engagement_ratio IS 'active_ms / duration_ms. Unit: ratio.';
COMMENT ON COLUMN session_metrics.longest_focus_ms IS 'Longest active time unbroken by an idle gap or the start of a pause, in ms. Unit: ms.';
COMMENT ON COLUMN session_metrics.longest_idle_ms IS 'Longest idle gap, in ms. Unit: ms.';
COMMENT ON COLUMN session_metrics.distractions IS 'Idle gaps and starts of being away. Unit: count.';
COMMENT ON COLUMN session_metrics.distractions_per_active_minute IS 'distractions by minute of active time. Unit: per minute.';
COMMENT ON COLUMN session_metrics.tasks_started IS 'Tasks with a task.started. Unit: count.';
COMMENT ON COLUMN session_metrics.tasks_completed IS 'Started tasks with a task.completed. Unit: count.';
COMMENT ON COLUMN session_metrics.tasks_abandoned IS 'Started tasks with a task.abandoned and no task.completed. Unit: count.';
COMMENT ON COLUMN session_metrics.completion_rate IS 'tasks_completed / tasks_started. Unit: ratio.';
COMMENT ON COLUMN session_metrics.abandonment_rate IS 'tasks_abandoned / tasks_started. Unit: ratio.';
COMMENT ON COLUMN session_metrics.time_efficiency IS 'Expected time over time spent on completed tasks that state one, at most 2. Unit: ratio.';
COMMENT ON COLUMN session_metrics.attempts IS 'task.attempted events. Unit: count.';
COMMENT ON COLUMN session_metrics.successes IS 'Attempts that succeeded. Unit: count.';
COMMENT ON COLUMN session_metrics.failures IS 'Attempts that did not succeed, partial ones included. Unit: count.';
COMMENT ON COLUMN session_metrics.success_rate IS 'successes / attempts. Unit: ratio.';
COMMENT ON COLUMN session_metrics.first_try_success_rate IS 'Attempted tasks whose first attempt succeeded / attempted tasks. Unit: ratio.';
COMMENT ON COLUMN session_metrics.retries IS 'Attempts that follow a failed one on the same task. Unit: count.';
COMMENT ON COLUMN session_metrics.persistence_rate IS 'retries / failures. Unit: ratio.';
COMMENT ON COLUMN session_metrics.failure_runs IS 'Runs of failures on a task, up to its next success. Unit: count.';
COMMENT ON COLUMN session_metrics.recovery_rate IS 'Failure runs that ended in a success / failure_runs. Unit: ratio.';
COMMENT ON COLUMN session_metrics.mean_recovery_ms IS 'Mean time from a run''s first failure to the success that ended it, in ms. Unit: ms.';
COMMENT ON COLUMN session_metrics.mean_attempt_latency_ms IS 'Mean time from the task''s start or previous attempt to an attempt, in ms. Unit: ms.';
COMMENT ON COLUMN session_metrics.sd_attempt_latency_ms IS 'Sample standard deviation of those times, in ms. Unit: ms.';
COMMENT ON COLUMN session_metrics.rapid_attempt_rate IS 'Attempts quicker than 1 s / attempts with a latency (Wise & Kong 2005). Unit: ratio.';
COMMENT ON COLUMN session_metrics.wheel_spinning_tasks IS 'Tasks with 10 attempts or more and never 3 successes in a row (Beck & Gong 2013). Unit: count.';
COMMENT ON COLUMN session_metrics.strategy_change_rate IS 'Retries before which the strategy was changed / retries. Unit: ratio.';
COMMENT ON COLUMN session_metrics.hints IS 'hint.requested events. Unit: count.';
COMMENT ON COLUMN session_metrics.hints_per_task IS 'hints / tasks_started. Unit: per task.';
COMMENT ON COLUMN session_metrics.bottom_out_hint_rate IS 'Hints that gave the answer away / hints (Baker et al.). Unit: ratio.';
COMMENT ON COLUMN session_metrics.hint_before_attempt_rate IS 'Hints before the task''s first attempt / hints (Baker et al.). Unit: ratio.';
COMMENT ON COLUMN session_metrics.choices IS 'choice.made events. Unit: count.';
COMMENT ON COLUMN session_metrics.choice_alignment_rate IS 'Aligned choices / choices that say whether they were. Unit: ratio.';
COMMENT ON COLUMN session_metrics.mean_deliberation_ms IS 'Mean time to decide, in ms. Unit: ms.';
COMMENT ON COLUMN session_metrics.leadership_choices IS 'Aligned choices of the skill `leadership`. Unit: count.';
COMMENT ON COLUMN session_metrics.questions IS 'question.answered events. Unit: count.';
COMMENT ON COLUMN session_metrics.question_accuracy IS 'Right answers / questions. Unit: ratio.';
COMMENT ON COLUMN session_metrics.dialogues IS 'dialogue.viewed events. Unit: count.';
COMMENT ON COLUMN session_metrics.dialogue_skip_rate IS 'Skipped dialogues / dialogues. Unit: ratio.';
COMMENT ON COLUMN session_metrics.dialogue_rereads IS 'Times a dialogue was read again. Unit: count.';
COMMENT ON COLUMN session_metrics.messages_sent IS 'social.message_sent events. Unit: count.';
COMMENT ON COLUMN session_metrics.help_given IS 'social.help events in which the player helped. Unit: count.';
COMMENT ON COLUMN session_metrics.help_received IS 'social.help events in which the player was helped. Unit: count.';
COMMENT ON COLUMN session_metrics.help_given_ratio IS 'help_given / all help. Unit: ratio.';
COMMENT ON COLUMN session_metrics.turns IS 'social.turn events. Unit: count.';
COMMENT ON COLUMN session_metrics.voluntary_turn_rate IS 'Turns given away unasked / turns. Unit: ratio.';
COMMENT ON COLUMN session_metrics.event_count IS 'Distinct events of the session. Unit: count.';
COMMENT ON COLUMN session_metrics.out_of_order IS 'Events whose clock stood before the latest time seen. Unit: count.';
COMMENT ON COLUMN session_metrics.completeness IS 'Distinct seqs / (highest seq + 1); null without seq. Unit: ratio.';
COMMENT ON COLUMN session_metrics.anomalous IS 'More than 20 player''s actions within a second. Unit: yes/no.';
