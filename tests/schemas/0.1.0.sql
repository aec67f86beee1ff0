BEGIN TRANSACTION;
CREATE TABLE channel_events (
	channel TEXT NOT NULL, 
	event_id TEXT NOT NULL, 
	taken_at TEXT NOT NULL, 
	PRIMARY KEY (channel, event_id)
);
CREATE TABLE channel_jobs (
	position INTEGER NOT NULL, 
	channel VARCHAR(20) NOT NULL, 
	id VARCHAR(256) NOT NULL, 
	chat TEXT NOT NULL, 
	text TEXT, 
	address JSON NOT NULL, 
	reply JSON, 
	turn_id VARCHAR(64) NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	tries INTEGER NOT NULL, 
	due_at FLOAT NOT NULL, 
	accepted_at FLOAT NOT NULL, 
	PRIMARY KEY (position), 
	UNIQUE (channel, id)
);
INSERT INTO "channel_jobs" VALUES(1,'feishu','m1','c1','问','{}',NULL,'','waiting',0,1.0,1.0);
CREATE TABLE channel_threads (
	channel TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	session_id TEXT NOT NULL, 
	kept_at TEXT NOT NULL, 
	PRIMARY KEY (channel, "key")
);
INSERT INTO "channel_threads" VALUES('slack','T1:C1','s1','2026-01-01T00:00:00Z');
CREATE TABLE collections (
	name VARCHAR(100) NOT NULL, 
	generation VARCHAR(40), 
	changed_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "collections" VALUES('default','g-20260101','2026-01-01T00:00:00Z');
CREATE TABLE documents (
	collection VARCHAR(100) NOT NULL, 
	id VARCHAR(200) NOT NULL, 
	title TEXT NOT NULL, 
	source TEXT NOT NULL, 
	text TEXT NOT NULL, 
	details JSON NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	characters INTEGER NOT NULL, 
	passages INTEGER NOT NULL, 
	changed_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (collection, id)
);
INSERT INTO "documents" VALUES('default','a','题','a.md','猫在屋顶。','{"metadata": {}, "sections": []}','d',5,1,'2026-01-01T00:00:00Z');
CREATE TABLE feedback (
	turn_id VARCHAR(64) NOT NULL, 
	voter VARCHAR(100) NOT NULL, 
	vote VARCHAR(8) NOT NULL, 
	comment TEXT NOT NULL, 
	given_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (turn_id, voter), 
	FOREIGN KEY(turn_id) REFERENCES turns (id) ON DELETE CASCADE
);
INSERT INTO "feedback" VALUES('t1','','up','好','2026-01-01T00:00:00Z');
CREATE TABLE sessions (
	id VARCHAR(64) NOT NULL, 
	collection VARCHAR(100) NOT NULL, 
	started_at VARCHAR(32) NOT NULL, 
	used_at VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "sessions" VALUES('s1','default','2026-01-01T00:00:00Z','2026-01-01T00:00:00Z');
CREATE TABLE slack_messages (
	id TEXT NOT NULL, 
	timestamp VARCHAR(32) NOT NULL, 
	begun_at FLOAT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE turns (
	id VARCHAR(64) NOT NULL, 
	session_id VARCHAR(64) NOT NULL, 
	position INTEGER NOT NULL, 
	asked_at VARCHAR(32) NOT NULL, 
	question TEXT NOT NULL, 
	answer TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE
);
INSERT INTO "turns" VALUES('t1','s1',1,'2026-01-01T00:00:00Z','你好','{"text":"你好","kind":"chat","confidence":1.0}');
CREATE TABLE webhook_deliveries (
	position INTEGER NOT NULL, 
	event_id VARCHAR(64) NOT NULL, 
	endpoint VARCHAR(64) NOT NULL, 
	event VARCHAR(40) NOT NULL, 
	subject JSON NOT NULL, 
	created_at FLOAT NOT NULL, 
	fate VARCHAR(10) NOT NULL, 
	tries INTEGER NOT NULL, 
	due_at FLOAT NOT NULL, 
	status INTEGER, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (position)
);
INSERT INTO "webhook_deliveries" VALUES(1,'msg_1','a','answer.created','{"session_id": "s1", "turn_id": "t1"}',1.0,'waiting',0,1.0,NULL,'');
CREATE TABLE webhook_gone (
	endpoint VARCHAR(64) NOT NULL, 
	url TEXT NOT NULL, 
	PRIMARY KEY (endpoint)
);
CREATE TABLE webhook_questions (
	endpoint VARCHAR(64) NOT NULL, 
	id VARCHAR(128) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	came_at TEXT NOT NULL, 
	outcome JSON, 
	PRIMARY KEY (endpoint, id)
);
CREATE INDEX ix_sessions_used_at ON sessions (used_at);
CREATE INDEX ix_webhook_deliveries_created_at ON webhook_deliveries (created_at);
CREATE INDEX ix_webhook_questions_came_at ON webhook_questions (came_at);
CREATE INDEX ix_channel_events_taken_at ON channel_events (taken_at);
CREATE INDEX ix_channel_threads_kept_at ON channel_threads (kept_at);
CREATE INDEX ix_channel_jobs_state ON channel_jobs (state);
CREATE INDEX ix_slack_messages_begun_at ON slack_messages (begun_at);
CREATE INDEX ix_turns_session_id ON turns (session_id);
COMMIT;
