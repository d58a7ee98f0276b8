"""Leased blocks of numbers, which are given out where the line to the centre is cut, and what came back of them."""

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE number_lease (
    id uuid CONSTRAINT pk_number_lease PRIMARY KEY,
    facility_id uuid NOT NULL CONSTRAINT fk_number_lease_facility_id_facility REFERENCES facility (id),
    queue_id uuid NOT NULL CONSTRAINT fk_number_lease_queue_id_queue REFERENCES queue (id),
    business_date date NOT NULL,
    holder_kind text NOT NULL CONSTRAINT ck_number_lease_holder_kind CHECK (
        holder_kind IN ('kiosk', 'node', 'paper')),
    holder_id uuid NOT NULL,
    epoch integer NOT NULL CONSTRAINT ck_number_lease_epoch CHECK (epoch > 0),
    request_id text NOT NULL,
    key_hash bytea NOT NULL,
    asked integer NOT NULL,
    first integer NOT NULL,
    last integer NOT NULL,
    granted_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_to integer NOT NULL,
    spoilt integer[] NOT NULL DEFAULT '{}',
    ended_at timestamptz,
    end_reason text CONSTRAINT ck_number_lease_end_reason CHECK (end_reason IN ('returned', 'entered')),
    CONSTRAINT ck_number_lease_block CHECK (first > 0 AND last >= first AND asked > last - first),
    CONSTRAINT ck_number_lease_used_to CHECK (used_to BETWEEN first - 1 AND last),
    CONSTRAINT ck_number_lease_ended CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT uq_number_lease_holder_id_request_id UNIQUE (holder_id, request_id),
    CONSTRAINT ex_number_lease_numbers EXCLUDE USING gist (
        queue_id WITH =, business_date WITH =, int4range(first, last, '[]') WITH &&)
);
CREATE INDEX ix_number_lease_queue_id_business_date_first ON number_lease (queue_id, business_date, first);
CREATE INDEX ix_number_lease_open ON number_lease (facility_id, business_date) WHERE ended_at IS NULL;

-- What is written of a block stays: numbers of a lease are never taken back and never lent twice.
REVOKE UPDATE, DELETE ON number_lease FROM telehealth_app;
GRANT UPDATE (used_to, spoilt, ended_at, end_reason) ON number_lease TO telehealth_app;

ALTER TABLE ticket ADD COLUMN lease_id uuid CONSTRAINT fk_ticket_lease_id_number_lease REFERENCES number_lease (id);
CREATE INDEX ix_ticket_lease_id ON ticket (lease_id) WHERE lease_id IS NOT NULL;

-- Numbers that were given out and could not be written as tickets by themselves: the desk's worklist. A press is
-- kept once. Nothing here says who the person is.
CREATE TABLE handed_in_number (
    id uuid CONSTRAINT pk_handed_in_number PRIMARY KEY DEFAULT gen_random_uuid(),
    lease_id uuid NOT NULL CONSTRAINT fk_handed_in_number_lease_id_number_lease REFERENCES number_lease (id),
    facility_id uuid NOT NULL CONSTRAINT fk_handed_in_number_facility_id_facility REFERENCES facility (id),
    number integer NOT NULL CONSTRAINT ck_handed_in_number_number CHECK (number > 0),
    press_key text NOT NULL,
    issued_at timestamptz NOT NULL,
    priority_class text NOT NULL,
    purpose text NOT NULL,
    print_status text NOT NULL,
    why text NOT NULL CONSTRAINT ck_handed_in_number_why CHECK (
        why IN ('outside-lease', 'number-taken', 'press-reused', 'device-revoked')),
    received_at timestamptz NOT NULL,
    settled_at timestamptz,
    settled_by uuid CONSTRAINT fk_handed_in_number_settled_by_account REFERENCES account (id),
    ticket_id uuid CONSTRAINT fk_handed_in_number_ticket_id_ticket REFERENCES ticket (id),
    reason text,
    CONSTRAINT uq_handed_in_number_lease_id_press_key UNIQUE (lease_id, press_key),
    CONSTRAINT ck_handed_in_number_settled CHECK (
        CASE WHEN settled_at IS NULL THEN ticket_id IS NULL AND reason IS NULL
             ELSE (ticket_id IS NULL) <> (reason IS NULL) END)
);
CREATE INDEX ix_handed_in_number_pending ON handed_in_number (facility_id, received_at) WHERE settled_at IS NULL;
REVOKE DELETE ON handed_in_number FROM telehealth_app;
"""

WALLS = """
ALTER TABLE number_lease ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON number_lease USING (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'staff' THEN facility_id = ANY (app_facilities())
        WHEN 'kiosk' THEN facility_id = ANY (app_facilities())
        ELSE false
    END);
ALTER TABLE handed_in_number ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON handed_in_number USING (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'staff' THEN facility_id = ANY (app_facilities())
        WHEN 'kiosk' THEN facility_id = ANY (app_facilities())
        ELSE false
    END);

-- A block comes from the counter, in the transaction that holds the counter's row, and holds nobody's number.
CREATE FUNCTION lease_from_counter() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM FROM queue_counter c
      WHERE c.queue_id = NEW.queue_id AND c.business_date = NEW.business_date
        AND c.first <= NEW.first AND NEW.last <= c.last FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a lease takes its numbers from the counter'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_number_lease_counted';
    END IF;
    PERFORM FROM ticket t
      WHERE t.queue_id = NEW.queue_id AND t.business_date = NEW.business_date
        AND t.number BETWEEN NEW.first AND NEW.last;
    IF FOUND THEN
        RAISE EXCEPTION 'a number of this block was given'
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'ex_number_lease_tickets';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER lease_from_counter BEFORE INSERT ON number_lease FOR EACH ROW EXECUTE FUNCTION lease_from_counter();

-- A ticket has a number of its own lease, or one that nobody leased. The counter's row is shared until commit, so
-- no lease of this number begins meanwhile.
CREATE FUNCTION keep_to_leases() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_lease uuid;
BEGIN
    PERFORM FROM queue_counter c
      WHERE c.queue_id = NEW.queue_id AND c.business_date = NEW.business_date FOR SHARE;
    SELECT CASE WHEN NEW.number <= l.last THEN l.id END INTO v_lease FROM number_lease l
     WHERE l.queue_id = NEW.queue_id AND l.business_date = NEW.business_date AND l.first <= NEW.number
     ORDER BY l.first DESC LIMIT 1;
    IF v_lease IS DISTINCT FROM NEW.lease_id THEN
        RAISE EXCEPTION 'this number belongs to a lease'
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'ex_ticket_lease';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_to_leases BEFORE INSERT OR UPDATE OF queue_id, business_date, number, lease_id ON ticket
    FOR EACH ROW EXECUTE FUNCTION keep_to_leases();

-- A machine whose token was taken back still hands in what it gave out: with the key of its lease, into the
-- worklist and nowhere else. Returns whether the key was right.
CREATE FUNCTION hand_in_numbers(p_lease uuid, p_key_hash bytea, p_numbers jsonb, p_now timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_lease number_lease;
BEGIN
    SELECT * INTO v_lease FROM number_lease l WHERE l.id = p_lease AND l.key_hash = p_key_hash FOR UPDATE;
    IF NOT FOUND THEN RETURN false; END IF;
    INSERT INTO handed_in_number (lease_id, facility_id, number, press_key, issued_at, priority_class, purpose,
                                  print_status, why, received_at)
    SELECT v_lease.id, v_lease.facility_id, n.number, n.press_key, n.issued_at, n.priority_class, n.purpose,
           n.print_status, 'device-revoked', p_now
      FROM jsonb_to_recordset(p_numbers) AS n (number integer, press_key text, issued_at timestamptz,
                                               priority_class text, purpose text, print_status text)
     WHERE NOT EXISTS (SELECT FROM ticket t WHERE t.issued_by = v_lease.holder_id AND t.press_key = n.press_key)
    ON CONFLICT (lease_id, press_key) DO NOTHING;
    RETURN true;
END $$;
"""

UNDO = """
DROP FUNCTION hand_in_numbers(uuid, bytea, jsonb, timestamptz);
DROP TRIGGER keep_to_leases ON ticket;
DROP FUNCTION keep_to_leases();
DROP TABLE handed_in_number;
ALTER TABLE ticket DROP COLUMN lease_id;
DROP TABLE number_lease;
DROP FUNCTION lease_from_counter();
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(WALLS)


def downgrade() -> None:
    op.execute(UNDO)
