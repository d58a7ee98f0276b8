"""The node in a hospital's network: who is the home of a facility's day, its journal, what it settled."""

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

CENTRE = """
CREATE TABLE edge_node (
    id uuid CONSTRAINT pk_edge_node PRIMARY KEY,
    facility_id uuid NOT NULL CONSTRAINT fk_edge_node_facility_id_facility REFERENCES facility (id),
    name text NOT NULL,
    code_index bytea CONSTRAINT uq_edge_node_code_index UNIQUE,
    code_expires_at timestamptz,
    token_hash bytea CONSTRAINT uq_edge_node_token_hash UNIQUE,
    created_by uuid CONSTRAINT fk_edge_node_created_by_account REFERENCES account (id),
    created_at timestamptz NOT NULL,
    enrolled_at timestamptz,
    revoked_at timestamptz,
    last_batch bigint NOT NULL DEFAULT 0,
    heard_at timestamptz,
    report jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT ck_edge_node_enrolled CHECK ((token_hash IS NULL) = (enrolled_at IS NULL)),
    CONSTRAINT ck_edge_node_last_batch CHECK (last_batch >= 0)
);
CREATE INDEX ix_edge_node_facility_id ON edge_node (facility_id);
REVOKE DELETE ON edge_node FROM telehealth_app;

-- Where the queues of a facility are run. The epoch rises with each change of hands and never falls.
CREATE TABLE queue_home (
    facility_id uuid CONSTRAINT pk_queue_home PRIMARY KEY
        CONSTRAINT fk_queue_home_facility_id_facility REFERENCES facility (id),
    node_id uuid CONSTRAINT fk_queue_home_node_id_edge_node REFERENCES edge_node (id),
    epoch integer NOT NULL CONSTRAINT ck_queue_home_epoch CHECK (epoch > 0),
    since timestamptz NOT NULL,
    heard_at timestamptz
);
REVOKE DELETE ON queue_home FROM telehealth_app;

-- One row a batch that was taken in: with the same number comes the same content, or it is refused.
CREATE TABLE node_batch (
    node_id uuid NOT NULL CONSTRAINT fk_node_batch_node_id_edge_node REFERENCES edge_node (id),
    number bigint NOT NULL,
    digest bytea NOT NULL,
    epoch integer NOT NULL,
    entries integer NOT NULL,
    late boolean NOT NULL,
    clock_ahead_ms integer,
    received_at timestamptz NOT NULL,
    CONSTRAINT pk_node_batch PRIMARY KEY (node_id, number),
    CONSTRAINT ck_node_batch_number CHECK (number > 0)
);
REVOKE UPDATE, DELETE ON node_batch FROM telehealth_app;

-- What a node handed in and the centre could not take as it is: the desk's worklist.
CREATE TABLE node_exception (
    id uuid CONSTRAINT pk_node_exception PRIMARY KEY,
    node_id uuid NOT NULL CONSTRAINT fk_node_exception_node_id_edge_node REFERENCES edge_node (id),
    facility_id uuid NOT NULL CONSTRAINT fk_node_exception_facility_id_facility REFERENCES facility (id),
    batch bigint NOT NULL,
    kind text NOT NULL,
    row_id text NOT NULL,
    reason text NOT NULL,
    entries integer NOT NULL DEFAULT 1,
    body_sealed bytea NOT NULL,
    happened_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    settled_at timestamptz,
    settled_by uuid CONSTRAINT fk_node_exception_settled_by_account REFERENCES account (id),
    outcome text CONSTRAINT ck_node_exception_outcome CHECK (outcome IN ('applied', 'dismissed')),
    note text,
    CONSTRAINT ck_node_exception_settled CHECK ((settled_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX ix_node_exception_open ON node_exception (facility_id, received_at) WHERE settled_at IS NULL;
REVOKE DELETE ON node_exception FROM telehealth_app;
"""

NODE = """
-- On a node: one row. At the centre: none.
CREATE TABLE this_node (
    only_row boolean CONSTRAINT pk_this_node PRIMARY KEY DEFAULT true CONSTRAINT ck_this_node_only_row CHECK (only_row),
    node_id uuid NOT NULL,
    facility_id uuid NOT NULL,
    name text NOT NULL,
    centre_url text NOT NULL,
    token_sealed bytea NOT NULL,
    epoch integer NOT NULL DEFAULT 0,
    on_duty boolean NOT NULL DEFAULT false,
    bundle_tag text,
    bundle_at timestamptz,
    heard_at timestamptz,
    down_since timestamptz,
    clock_ahead_ms integer
);
REVOKE DELETE ON this_node FROM telehealth_app;

CREATE TABLE node_journal (
    seq bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_node_journal PRIMARY KEY,
    kind text NOT NULL,
    op text NOT NULL CONSTRAINT ck_node_journal_op CHECK (op IN ('insert', 'update', 'delete')),
    row jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    batch bigint,
    settled_at timestamptz
);
CREATE INDEX ix_node_journal_uncut ON node_journal (seq) WHERE batch IS NULL;
CREATE INDEX ix_node_journal_unsettled ON node_journal (batch, seq) WHERE settled_at IS NULL;
CREATE INDEX ix_node_journal_row ON node_journal (kind, (row ->> 'id'));
CREATE INDEX ix_node_journal_settled_at ON node_journal (settled_at) WHERE settled_at IS NOT NULL;

-- Numbers that the centre lent to this node, by block.
CREATE TABLE held_block (
    lease_id uuid CONSTRAINT pk_held_block PRIMARY KEY,
    queue_id uuid NOT NULL CONSTRAINT fk_held_block_queue_id_queue REFERENCES queue (id),
    business_date date NOT NULL,
    epoch integer NOT NULL,
    first integer NOT NULL,
    last integer NOT NULL,
    counter_first integer NOT NULL,
    CONSTRAINT ck_held_block_block CHECK (first > 0 AND last >= first),
    CONSTRAINT ex_held_block_numbers EXCLUDE USING gist (
        queue_id WITH =, business_date WITH =, int4range(first, last, '[]') WITH &&)
);

-- The end of the block that numbers are given from. Where the counter is its own there is none.
ALTER TABLE queue_counter ADD COLUMN ceiling integer CONSTRAINT ck_queue_counter_ceiling CHECK (last <= ceiling);
"""

FUNCTIONS = """
-- Whoever has a node's token: who it is, for which facility, and the right to read what belongs there.
CREATE FUNCTION enter_node(p_token_hash bytea, p_now timestamptz)
RETURNS TABLE (id uuid, facility_id uuid, name text)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT n.id, n.facility_id, n.name FROM edge_node n
      WHERE n.token_hash = p_token_hash AND n.revoked_at IS NULL;
    IF FOUND THEN
        PERFORM set_config('app.kind', 'system', true);
    END IF;
END $$;

-- One writer at a time. At the centre: while a node has a facility's day, only what that node settles, and
-- numbers from the web. On a node: only while it is on duty.
CREATE FUNCTION keep_to_home() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_facility uuid;
    v_on_duty boolean;
    v_node uuid;
BEGIN
    IF current_setting('app.mirroring', true) = '1' THEN RETURN coalesce(NEW, OLD); END IF;
    SELECT on_duty INTO v_on_duty FROM this_node;
    IF FOUND THEN
        IF v_on_duty THEN RETURN coalesce(NEW, OLD); END IF;
        RAISE EXCEPTION 'this node is not on duty' USING ERRCODE = 'TH001';
    END IF;
    IF TG_TABLE_NAME IN ('queue_counter', 'queue_point') THEN
        SELECT q.facility_id INTO v_facility FROM queue q WHERE q.id = coalesce(NEW.queue_id, OLD.queue_id);
    ELSE
        v_facility := coalesce(NEW.facility_id, OLD.facility_id);
    END IF;
    SELECT h.node_id INTO v_node FROM queue_home h WHERE h.facility_id = v_facility FOR SHARE;
    IF v_node IS NULL OR current_setting('app.settling', true) = v_node::text THEN
        RETURN coalesce(NEW, OLD);
    END IF;
    -- What a kiosk gave out of its own block, while it was cut off, comes in where the block came from.
    IF TG_TABLE_NAME = 'ticket' AND TG_OP = 'INSERT' AND EXISTS (
        SELECT FROM number_lease l
         WHERE l.id = (to_jsonb(NEW) ->> 'lease_id')::uuid AND l.holder_kind <> 'node')
    THEN RETURN NEW; END IF;
    RAISE EXCEPTION 'the queues of this facility are at its node' USING ERRCODE = 'TH002';
END $$;

CREATE TRIGGER keep_to_home BEFORE INSERT ON ticket FOR EACH ROW
    WHEN (NEW.web_until IS NULL) EXECUTE FUNCTION keep_to_home();
-- What does not count up the version is not a step: that somebody was told, that a slip was printed.
CREATE TRIGGER keep_steps_to_home BEFORE UPDATE ON ticket FOR EACH ROW
    WHEN (NEW.version <> OLD.version) EXECUTE FUNCTION keep_to_home();
-- The centre lends to its nodes; to kiosks, and for printed lists, lends whoever has the day.
CREATE TRIGGER keep_to_home BEFORE INSERT ON number_lease FOR EACH ROW
    WHEN (NEW.holder_kind <> 'node') EXECUTE FUNCTION keep_to_home();
CREATE TRIGGER keep_to_home BEFORE UPDATE ON visit FOR EACH ROW
    WHEN (NEW.version <> OLD.version OR NEW.ended_at IS DISTINCT FROM OLD.ended_at) EXECUTE FUNCTION keep_to_home();
CREATE TRIGGER keep_to_home BEFORE INSERT OR UPDATE ON visit_order FOR EACH ROW EXECUTE FUNCTION keep_to_home();
CREATE TRIGGER keep_to_home BEFORE INSERT OR UPDATE ON visit_event FOR EACH ROW EXECUTE FUNCTION keep_to_home();
-- Its numbers stay with the centre, which lends them; how the day goes does not.
CREATE TRIGGER keep_to_home BEFORE UPDATE ON queue_counter FOR EACH ROW
    WHEN ((NEW.closed, NEW.merged_into, NEW.paused_at, NEW.paused_until, NEW.paused_reason)
          IS DISTINCT FROM (OLD.closed, OLD.merged_into, OLD.paused_at, OLD.paused_until, OLD.paused_reason))
    EXECUTE FUNCTION keep_to_home();
CREATE TRIGGER keep_to_home BEFORE INSERT OR UPDATE ON queue_point FOR EACH ROW
    WHEN (NEW.business_date IS NOT NULL) EXECUTE FUNCTION keep_to_home();

-- Whether the steps of a facility's day are taken in this database now: for jobs, which pass over the others.
CREATE FUNCTION has_the_day(p_facility uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(
        (SELECT n.on_duty AND n.facility_id = p_facility FROM this_node n),
        NOT EXISTS (SELECT FROM queue_home h WHERE h.facility_id = p_facility AND h.node_id IS NOT NULL))
$$;

-- On a node, prepared by telehealth.nodes: each change of what it settles, as it stands afterwards. The sequence
-- is taken while the row is held, so the images of one row stand in the order of its changes.
CREATE FUNCTION note_in_journal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF current_setting('app.mirroring', true) = '1' THEN RETURN NULL; END IF;
    IF TG_OP = 'DELETE' THEN
        INSERT INTO node_journal (kind, op, row) VALUES (TG_TABLE_NAME, 'delete', to_jsonb(OLD));
    ELSIF TG_OP = 'INSERT' OR NEW IS DISTINCT FROM OLD THEN
        INSERT INTO node_journal (kind, op, row) VALUES (TG_TABLE_NAME, lower(TG_OP), to_jsonb(NEW));
    END IF;
    RETURN NULL;
END $$;

-- How many changes the centre does not have: for the node's page, which everybody may read.
CREATE FUNCTION unsettled_changes() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*) FROM node_journal WHERE settled_at IS NULL
$$;

-- On a node, prepared by telehealth.nodes: no counter counts beyond a block.
CREATE FUNCTION count_within_blocks() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.ceiling IS NULL AND NEW.last >= NEW.first AND NOT EXISTS (
        SELECT FROM queue_counter c WHERE c.queue_id = NEW.queue_id AND c.business_date = NEW.business_date)
    THEN RETURN NULL; END IF;
    NEW.ceiling := coalesce(NEW.ceiling, NEW.last);
    RETURN NEW;
END $$;

-- Go on with the next block once one is used up; tells whether there are numbers to give. Two statements: whoever
-- waited for another's beginning of the block sees it in the second.
CREATE FUNCTION next_block(p_queue uuid, p_day date) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO queue_counter AS c (queue_id, business_date, first, last, web, ceiling)
    SELECT p_queue, p_day, least(b.counter_first, b.first), b.first - 1, 0, b.last
      FROM held_block b JOIN this_node n ON n.epoch = b.epoch
     WHERE b.queue_id = p_queue AND b.business_date = p_day
       AND b.first > coalesce((SELECT known.ceiling FROM queue_counter known
                                WHERE known.queue_id = p_queue AND known.business_date = p_day), 0)
     ORDER BY b.first LIMIT 1
    ON CONFLICT (queue_id, business_date) DO UPDATE SET last = excluded.last, ceiling = excluded.ceiling
     WHERE c.last = c.ceiling AND c.ceiling < excluded.ceiling;
    RETURN EXISTS (
        SELECT FROM queue_counter c
         WHERE c.queue_id = p_queue AND c.business_date = p_day AND c.last < c.ceiling);
END $$;
"""

# The code that is said aloud: the centre's, given to numbers from the web while a node has the day, have five
# digits, and those of the node four or six.
VISIT_CODE = (
    "CASE WHEN v_tries < 20 THEN 1000 + floor(random() * 9000)",
    """CASE WHEN EXISTS (SELECT FROM queue_home h WHERE h.facility_id = NEW.facility_id AND h.node_id IS NOT NULL)
                     THEN 10000 + floor(random() * 90000)
                     WHEN v_tries < 20 THEN 1000 + floor(random() * 9000)""",
)

UNDO = """
DROP FUNCTION next_block(uuid, date);
DROP FUNCTION count_within_blocks() CASCADE;
DROP FUNCTION unsettled_changes();
DROP FUNCTION note_in_journal() CASCADE;
DROP FUNCTION has_the_day(uuid);
DROP FUNCTION keep_to_home() CASCADE;
DROP FUNCTION enter_node(bytea, timestamptz);
ALTER TABLE queue_counter DROP COLUMN ceiling;
DROP TABLE held_block;
DROP TABLE node_journal;
DROP TABLE this_node;
DROP TABLE node_exception;
DROP TABLE node_batch;
DROP TABLE queue_home;
DROP TABLE edge_node;
"""

WALLS = """
ALTER TABLE node_exception ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON node_exception USING (
    app_kind() = 'system' OR (app_kind() = 'staff' AND facility_id = ANY (app_facilities())));
ALTER TABLE node_journal ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON node_journal USING (app_kind() = 'system');
"""


def upgrade() -> None:
    op.execute(CENTRE)
    op.execute(NODE)
    op.execute(FUNCTIONS)
    op.execute(WALLS)
    _rewrite("belong_to_a_visit", *VISIT_CODE)


def downgrade() -> None:
    _rewrite("belong_to_a_visit", VISIT_CODE[1], VISIT_CODE[0])
    op.execute(UNDO)


def _rewrite(function: str, old: str, new: str) -> None:
    """Change one place of a function and leave the rest as it is."""
    connection = op.get_bind()
    text = connection.exec_driver_sql(f"SELECT pg_get_functiondef('{function}'::regproc)").scalar_one()
    if text.count(old) != 1:
        msg = f"{function} is not as it was"
        raise RuntimeError(msg)
    connection.exec_driver_sql(text.replace(old, new).replace("%", "%%"))
