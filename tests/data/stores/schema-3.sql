BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0003');
CREATE TABLE "deployments" (
	id TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	project TEXT NOT NULL, 
	release TEXT NOT NULL, 
	environment TEXT NOT NULL, 
	mode TEXT NOT NULL, 
	state TEXT NOT NULL, 
	started_at TEXT NOT NULL, 
	finished_at TEXT, 
	"by" TEXT NOT NULL, 
	controller TEXT NOT NULL, 
	error TEXT NOT NULL, 
	token INTEGER, said TEXT, 
	CONSTRAINT pk_deployments PRIMARY KEY (id), 
	CONSTRAINT uq_deployments_seq UNIQUE (seq)
);
INSERT INTO "deployments" VALUES('d1',3,'shop','0.0.1','Dev','deploy','succeeded','2026-03-04T05:06:07.890123+00:00','2026-03-04T05:06:07.890123+00:00','ann@build','elsewhere 1 1','',NULL,NULL);
INSERT INTO "deployments" VALUES('d2',7,'shop','0.0.2','Dev','deploy','running','2026-03-04T05:06:07.890123+00:00',NULL,'ann@build','elsewhere 1 1','',NULL,NULL);
CREATE TABLE events (
	seq INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	type TEXT NOT NULL, 
	at TEXT NOT NULL, 
	deployment TEXT, 
	step TEXT NOT NULL, 
	target TEXT NOT NULL, 
	data TEXT NOT NULL, 
	subject_sha256 TEXT NOT NULL, 
	prev_hash TEXT NOT NULL, 
	hash TEXT NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (seq), 
	CONSTRAINT fk_events_deployment_deployments FOREIGN KEY(deployment) REFERENCES deployments (id), 
	CONSTRAINT uq_events_prev_hash UNIQUE (prev_hash), 
	CONSTRAINT uq_events_hash UNIQUE (hash)
);
INSERT INTO "events" VALUES(1,1,'release_created','2026-03-04T05:06:07.890123+00:00',NULL,'','','{"by":"ann@build","channel":"stable","number":"0.0.1","project":"shop"}','9f587e3d19071bbb7a4848146872139d5f4d84e9678f1865f840227c78d02e77','0000000000000000000000000000000000000000000000000000000000000000','922456dcc4c0e125e2b52f136c0da0a1cf1e8d782edf2d2931f5622fb1a374b3');
INSERT INTO "events" VALUES(2,1,'release_created','2026-03-04T05:06:07.890123+00:00',NULL,'','','{"by":"ann@build","channel":"stable","number":"0.0.2","project":"shop"}','c9c3a12830599773d4f504e09dd35a37288dc7407adfc421e82e5f9d10c86904','922456dcc4c0e125e2b52f136c0da0a1cf1e8d782edf2d2931f5622fb1a374b3','a472791f15b92a1648551ec6e12daf3fa899230d9d82bf10833a8908f5155d3c');
INSERT INTO "events" VALUES(3,1,'deployment_started','2026-03-04T05:06:07.890123+00:00','d1','','','{"by":"ann@build","controller":"elsewhere 1 1","environment":"Dev","mode":"deploy","project":"shop","release":"0.0.1"}','8fc6396ce00cc680295b0852dfe75818150adc932e8a3692bb57b45ff22b5054','a472791f15b92a1648551ec6e12daf3fa899230d9d82bf10833a8908f5155d3c','545a4b29451759b82d9f9b527490d40929a79cb7ef3e6820660d08f0bea82f49');
INSERT INTO "events" VALUES(4,1,'step_finished','2026-03-04T05:06:07.890123+00:00','d1','web','h01','{"line":1}','6de9c466a0d8ba1e5b37c261bf11c538fd01026a31ca35fa842bbd822ce7d308','545a4b29451759b82d9f9b527490d40929a79cb7ef3e6820660d08f0bea82f49','20565a81878fba120388a044751fbf93a9d5574b71688de6b7a7b9c95b8d73bd');
INSERT INTO "events" VALUES(5,1,'step_finished','2026-03-04T05:06:07.890123+00:00','d1','web','h02','{"line":1}','ebc9a608e21569ff7058dafa4ee0b47f98b1e57316ca832d9fd2a2ad8fc67db1','20565a81878fba120388a044751fbf93a9d5574b71688de6b7a7b9c95b8d73bd','6fb3ebef83c062715a80a84483d0a6d7c07bbc1a77a89b117cc23007dffd6023');
INSERT INTO "events" VALUES(6,1,'deployment_finished','2026-03-04T05:06:07.890123+00:00','d1','','','{"error":"","hosts":"changed","state":"succeeded"}','8212316affda7fad07c33a5d1437fc1697eec4ab86a4bb22611d0de6a16e7272','6fb3ebef83c062715a80a84483d0a6d7c07bbc1a77a89b117cc23007dffd6023','c852c92349d1d7127a00a8a852983eadac87dcf6bceccb454b33c4d1b92284e6');
INSERT INTO "events" VALUES(7,1,'deployment_started','2026-03-04T05:06:07.890123+00:00','d2','','','{"by":"ann@build","controller":"elsewhere 1 1","environment":"Dev","mode":"deploy","project":"shop","release":"0.0.2"}','39e3141eef082d2ca2661188dd9b8e55af9afaf84d1476e829f4add4cbcb2709','c852c92349d1d7127a00a8a852983eadac87dcf6bceccb454b33c4d1b92284e6','d5909e8e024536076f68c7c9f589e45ad8d0b9d807e01a76e59677fc9d7c425b');
INSERT INTO "events" VALUES(8,1,'step_finished','2026-03-04T05:06:07.890123+00:00','d2','web','h01','{"line":1}','54606929ed9295412dac95126b0fb549dd386a8d53235601f198d9a7eb007264','d5909e8e024536076f68c7c9f589e45ad8d0b9d807e01a76e59677fc9d7c425b','fa97b9b5f50f9d848acdf663b867740c22e34f58ef1a8238b2884db0f542d77e');
CREATE TABLE facts (
	kind TEXT NOT NULL, 
	"key" TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	body TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	CONSTRAINT pk_facts PRIMARY KEY (kind, "key"), 
	CONSTRAINT uq_facts_seq UNIQUE (seq)
);
CREATE TABLE leases (
	project TEXT NOT NULL, 
	environment TEXT NOT NULL, 
	token INTEGER NOT NULL, 
	holder TEXT NOT NULL, 
	"by" TEXT NOT NULL, 
	since TEXT NOT NULL, 
	expires_at TEXT NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (project, environment)
);
CREATE TABLE meta (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	CONSTRAINT pk_meta PRIMARY KEY (name)
);
INSERT INTO "meta" VALUES('schema','3');
CREATE TABLE "outcomes" (
	deployment TEXT NOT NULL, 
	step TEXT NOT NULL, 
	target TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	action TEXT NOT NULL, 
	changed BOOLEAN NOT NULL, 
	why TEXT NOT NULL, 
	started_at TEXT, 
	finished_at TEXT, 
	exit_code INTEGER, 
	script TEXT NOT NULL, 
	log TEXT NOT NULL, 
	inspect TEXT NOT NULL, 
	outputs TEXT NOT NULL, 
	CONSTRAINT pk_outcomes PRIMARY KEY (deployment, step, target), 
	CONSTRAINT fk_outcomes_deployment_deployments FOREIGN KEY(deployment) REFERENCES deployments (id), 
	CONSTRAINT ck_outcomes_changed CHECK (changed IN (0, 1))
);
INSERT INTO "outcomes" VALUES('d1','web','h01',0,'succeeded','created',1,'','2026-03-04T05:06:07.890123+00:00','2026-03-04T05:06:07.890123+00:00',0,'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','línea ✓ [1m	end
','{"Name":"shop","Ports":[1,null,2.5,{"\u00e9":"\ud83d\ude00"}]}','{"ip":"10.0.0.1"}');
INSERT INTO "outcomes" VALUES('d1','web','h02',1,'succeeded','created',1,'','2026-03-04T05:06:07.890123+00:00','2026-03-04T05:06:07.890123+00:00',0,'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','línea ✓ [1m	end
','{"Name":"shop","Ports":[1,null,2.5,{"\u00e9":"\ud83d\ude00"}]}','{"ip":"10.0.0.1"}');
INSERT INTO "outcomes" VALUES('d2','web','h01',0,'succeeded','created',1,'','2026-03-04T05:06:07.890123+00:00','2026-03-04T05:06:07.890123+00:00',0,'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff','línea ✓ [1m	end
','{"Name":"shop","Ports":[1,null,2.5,{"\u00e9":"\ud83d\ude00"}]}','{"ip":"10.0.0.1"}');
CREATE TABLE releases (
	project TEXT NOT NULL, 
	number TEXT NOT NULL, 
	seq INTEGER NOT NULL, 
	created_at TEXT NOT NULL, 
	body TEXT NOT NULL, 
	sha256 TEXT NOT NULL, 
	CONSTRAINT pk_releases PRIMARY KEY (project, number), 
	CONSTRAINT uq_releases_seq UNIQUE (seq)
);
INSERT INTO "releases" VALUES('shop','0.0.1',1,'2026-03-04T05:06:07.890123+00:00','{"channel":"stable","created_at":"2026-03-04T05:06:07.890123+00:00","created_by":"ann@build","notes":"first \u2713","number":"0.0.1","pins":[{"digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","image":{"registry":{"auth":null,"ca":null,"cert":null,"host_login":"auto","key":null,"name":"hub","registry_path":null,"url":"https://registry.example.com"},"repository":"acme/web"},"media_type":"","platforms":[],"resolved_at":"2026-03-04T05:06:07.890123+00:00","size":0,"tag":"1.2"}],"process":{"steps":[{"attachable":false,"aux_addresses":{},"driver":"bridge","gateway":null,"internal":false,"ip_range":null,"ipam_driver":"default","ipam_options":{},"ipv6":false,"kind":"create_network","labels":{},"name":"backend","network_name":null,"options":{},"parent":null,"replace":false,"roles":[],"rolling":null,"subnet":null,"subnets":[],"timeout_s":900.0},{"aliases":[],"blkio_weight":null,"cap_add":[],"cap_drop":[],"cgroup_parent":null,"cgroupns":null,"command":[],"container_name":null,"cpu_period":null,"cpu_quota":null,"cpu_shares":null,"cpus":null,"cpuset_cpus":null,"cpuset_mems":null,"device_cgroup_rules":[],"devices":[],"dns":[],"dns_options":[],"dns_search":[],"domainname":null,"entrypoint":[],"env":{"KEY":{"secret":"KEY"}},"expose":[],"extra_args":[],"files":{},"gpus":null,"group_add":[],"health":null,"healthcheck":null,"healthy_timeout_s":60.0,"hostname":null,"hosts":{},"image":{"registry":{"auth":null,"ca":null,"cert":null,"host_login":"auto","key":null,"name":"hub","registry_path":null,"url":"https://registry.example.com"},"repository":"acme/web"},"init":false,"interactive":false,"ipc":null,"kind":"run_container","labels":{},"log_driver":null,"log_options":{},"mac_address":null,"memory":null,"memory_reservation":null,"memory_swap":null,"memory_swappiness":null,"monitor_s":5.0,"mounts":[],"name":"web","network_mode":null,"networks":[],"no_healthcheck":false,"oom_kill_disable":false,"oom_score_adj":null,"pid":null,"pids_limit":null,"platform":null,"privileged":false,"publish":[],"publish_all":false,"pull":"missing","read_only":false,"restart":"no","roles":[],"rolling":null,"runtime":null,"secret_files":{},"security_options":[],"shm_size":null,"stop_grace_s":10,"stop_signal":null,"storage_options":{},"strategy":{"kind":"replace"},"sysctls":{},"timeout_s":900.0,"tmpfs":[],"tty":false,"ulimits":{},"user":null,"userns":null,"uts":null,"volume_driver":null,"volumes":[],"volumes_from":[],"workdir":null}]},"project":"shop","variables":[{"channel":null,"environment":null,"name":"ratio","role":null,"step":null,"target":null,"value":0.1},{"channel":null,"environment":null,"name":"on","role":null,"step":null,"target":null,"value":true}]}','9f587e3d19071bbb7a4848146872139d5f4d84e9678f1865f840227c78d02e77');
INSERT INTO "releases" VALUES('shop','0.0.2',2,'2026-03-04T05:06:07.890123+00:00','{"channel":"stable","created_at":"2026-03-04T05:06:07.890123+00:00","created_by":"ann@build","notes":"first \u2713","number":"0.0.2","pins":[{"digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","image":{"registry":{"auth":null,"ca":null,"cert":null,"host_login":"auto","key":null,"name":"hub","registry_path":null,"url":"https://registry.example.com"},"repository":"acme/web"},"media_type":"","platforms":[],"resolved_at":"2026-03-04T05:06:07.890123+00:00","size":0,"tag":"1.2"}],"process":{"steps":[{"attachable":false,"aux_addresses":{},"driver":"bridge","gateway":null,"internal":false,"ip_range":null,"ipam_driver":"default","ipam_options":{},"ipv6":false,"kind":"create_network","labels":{},"name":"backend","network_name":null,"options":{},"parent":null,"replace":false,"roles":[],"rolling":null,"subnet":null,"subnets":[],"timeout_s":900.0},{"aliases":[],"blkio_weight":null,"cap_add":[],"cap_drop":[],"cgroup_parent":null,"cgroupns":null,"command":[],"container_name":null,"cpu_period":null,"cpu_quota":null,"cpu_shares":null,"cpus":null,"cpuset_cpus":null,"cpuset_mems":null,"device_cgroup_rules":[],"devices":[],"dns":[],"dns_options":[],"dns_search":[],"domainname":null,"entrypoint":[],"env":{"KEY":{"secret":"KEY"}},"expose":[],"extra_args":[],"files":{},"gpus":null,"group_add":[],"health":null,"healthcheck":null,"healthy_timeout_s":60.0,"hostname":null,"hosts":{},"image":{"registry":{"auth":null,"ca":null,"cert":null,"host_login":"auto","key":null,"name":"hub","registry_path":null,"url":"https://registry.example.com"},"repository":"acme/web"},"init":false,"interactive":false,"ipc":null,"kind":"run_container","labels":{},"log_driver":null,"log_options":{},"mac_address":null,"memory":null,"memory_reservation":null,"memory_swap":null,"memory_swappiness":null,"monitor_s":5.0,"mounts":[],"name":"web","network_mode":null,"networks":[],"no_healthcheck":false,"oom_kill_disable":false,"oom_score_adj":null,"pid":null,"pids_limit":null,"platform":null,"privileged":false,"publish":[],"publish_all":false,"pull":"missing","read_only":false,"restart":"no","roles":[],"rolling":null,"runtime":null,"secret_files":{},"security_options":[],"shm_size":null,"stop_grace_s":10,"stop_signal":null,"storage_options":{},"strategy":{"kind":"replace"},"sysctls":{},"timeout_s":900.0,"tmpfs":[],"tty":false,"ulimits":{},"user":null,"userns":null,"uts":null,"volume_driver":null,"volumes":[],"volumes_from":[],"workdir":null}]},"project":"shop","variables":[{"channel":null,"environment":null,"name":"ratio","role":null,"step":null,"target":null,"value":0.1},{"channel":null,"environment":null,"name":"on","role":null,"step":null,"target":null,"value":true}]}','c9c3a12830599773d4f504e09dd35a37288dc7407adfc421e82e5f9d10c86904');
CREATE TRIGGER releases_no_update BEFORE UPDATE ON releases BEGIN SELECT RAISE(ABORT, 'releases: what is recorded stays as it is'); END;
CREATE TRIGGER releases_no_delete BEFORE DELETE ON releases BEGIN SELECT RAISE(ABORT, 'releases: what is recorded stays as it is'); END;
CREATE INDEX ix_events_deployment_seq ON events (deployment, seq);
CREATE TRIGGER events_no_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events: what is recorded stays as it is'); END;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events: what is recorded stays as it is'); END;
CREATE INDEX ix_deployments_project_environment_seq ON deployments (project, environment, seq);
CREATE TRIGGER deployments_no_delete BEFORE DELETE ON deployments BEGIN SELECT RAISE(ABORT, 'deployments: what is recorded stays as it is'); END;
CREATE INDEX ix_deployments_project_environment_state_seq ON deployments (project, environment, state, seq);
CREATE INDEX ix_deployments_project_seq ON deployments (project, seq);
CREATE INDEX ix_deployments_environment_seq ON deployments (environment, seq);
CREATE INDEX ix_deployments_state_seq ON deployments (state, seq);
CREATE INDEX ix_releases_project_seq ON releases (project, seq);
COMMIT;
