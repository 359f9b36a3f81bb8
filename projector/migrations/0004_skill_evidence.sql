CREATE TABLE skill_evidence (
    tenant        text             NOT NULL,
    session_id    uuid             NOT NULL,
    skill         text             NOT NULL,
    source        text             NOT NULL,
    signal        text             NOT NULL,
    ordinal       bigint           NOT NULL,
    game          text             NOT NULL,
    player_id     text             NOT NULL,
    revision      bigint           NOT NULL,
    successes     double precision NOT NULL,
    opportunities double precision NOT NULL,
    weight        double precision NOT NULL,
    at            timestamptz      NOT NULL,
    PRIMARY KEY (tenant, session_id, skill, source, signal, ordinal)
) WITH (fillfactor = 75);

CREATE INDEX skill_evidence_by_player ON skill_evidence (tenant, player_id, skill);

COMMENT ON TABLE skill_evidence IS 'One row a piece of evidence of a skill, as the latest revision of its session tells it.';
COMMENT ON COLUMN skill_evidence.tenant IS 'Whose data it is.';
COMMENT ON COLUMN skill_evidence.session_id IS 'The session that yielded it.';
COMMENT ON COLUMN skill_evidence.skill IS 'The skill: empathy, adaptability, problem_solving, self_regulation, resilience, communication or collaboration.';
COMMENT ON COLUMN skill_evidence.source IS 'Who says so: game, transcript or teacher.';
COMMENT ON COLUMN skill_evidence.signal IS 'What it was read from; for evidence from outside the game the source''s own name.';
COMMENT ON COLUMN skill_evidence.ordinal IS 'Counts pieces of the same session, skill, source and signal, from 0.';
COMMENT ON COLUMN skill_evidence.game IS 'Which game; behind an @ the environment where that is not live.';
COMMENT ON COLUMN skill_evidence.player_id IS 'Pseudonym of the player.';
COMMENT ON COLUMN skill_evidence.revision IS 'Revision of the session that this piece is of.';
COMMENT ON COLUMN skill_evidence.successes IS 'Successes among the opportunities; a fraction for evidence from outside the game. Unit: count.';
COMMENT ON COLUMN skill_evidence.opportunities IS 'Opportunities to show the skill. Unit: count.';
COMMENT ON COLUMN skill_evidence.weight IS 'What one opportunity weighs. Unit: ratio.';
COMMENT ON COLUMN skill_evidence.at IS 'When, on the client''s own clock.';
