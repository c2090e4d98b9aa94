-- How often stored verdicts of a driver's fixes have changed: what was answered about such a track is then outdated.

ALTER TABLE driver_states ADD COLUMN rejudgements bigint NOT NULL DEFAULT 0;
