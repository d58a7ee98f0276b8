"""The outpatient path: one visit, several numbers; what moves it on; never two calls for one person."""

from alembic import op

revision = "0032"
down_revision = "0029"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE visit (
    id uuid CONSTRAINT pk_visit PRIMARY KEY DEFAULT gen_random_uuid(),
    facility_id uuid NOT NULL CONSTRAINT fk_visit_facility_id REFERENCES facility (id),
    business_date date NOT NULL,
    code text NOT NULL,
    patient_id uuid CONSTRAINT fk_visit_patient_id REFERENCES patient (id),
    room_id uuid CONSTRAINT fk_visit_room_id REFERENCES queue (id),
    insured boolean NOT NULL DEFAULT false,
    opened_at timestamptz NOT NULL,
    registered_at timestamptz,
    seen_at timestamptz,
    prescribed_at timestamptz,
    settled_at timestamptz,
    dispensed_at timestamptz,
    discharged_at timestamptz,
    sent_by_hand_id uuid,
    ended_at timestamptz,
    end_reason text,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT uq_visit_facility_id_business_date_code UNIQUE (facility_id, business_date, code),
    CONSTRAINT ck_visit_code CHECK (code ~ '^[1-9][0-9]{3,5}$'),
    CONSTRAINT ck_visit_end CHECK ((ended_at IS NULL) = (end_reason IS NULL)),
    CONSTRAINT ck_visit_end_reason CHECK (end_reason IN ('complete', 'desk', 'day-over'))
);
CREATE INDEX ix_visit_open ON visit (facility_id, business_date) WHERE ended_at IS NULL;
CREATE INDEX ix_visit_patient_id ON visit (patient_id) WHERE patient_id IS NOT NULL;

ALTER TABLE ticket ADD COLUMN visit_id uuid CONSTRAINT fk_ticket_visit_id REFERENCES visit (id);
CREATE INDEX ix_ticket_visit_id ON ticket (visit_id);
-- One person is in one place: no second line calls somebody who is called or being served.
CREATE UNIQUE INDEX uq_ticket_visit_id ON ticket (visit_id) WHERE status IN ('called', 'serving');

CREATE TABLE visit_order (
    id uuid CONSTRAINT pk_visit_order PRIMARY KEY,
    visit_id uuid NOT NULL CONSTRAINT fk_visit_order_visit_id REFERENCES visit (id),
    facility_id uuid NOT NULL CONSTRAINT fk_visit_order_facility_id REFERENCES facility (id),
    identifier_system text NOT NULL,
    identifier_value text NOT NULL,
    category text NOT NULL CONSTRAINT ck_visit_order_category CHECK (category IN ('laboratory', 'imaging')),
    room_id uuid CONSTRAINT fk_visit_order_room_id REFERENCES queue (id),
    ordered_at timestamptz NOT NULL,
    paid_at timestamptz,
    performed_at timestamptz,
    ready_at timestamptz,
    collected_at timestamptz,
    read_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT uq_visit_order_facility_id_identifier_system_identifier_value
        UNIQUE (facility_id, identifier_system, identifier_value),
    CONSTRAINT ck_visit_order_sequence CHECK (
        (ready_at IS NULL OR performed_at IS NOT NULL) AND (read_at IS NULL OR ready_at IS NOT NULL)
        AND (revoked_at IS NULL OR performed_at IS NULL))
);
CREATE INDEX ix_visit_order_visit_id ON visit_order (visit_id);
CREATE INDEX ix_visit_order_room_id ON visit_order (room_id) WHERE read_at IS NULL AND revoked_at IS NULL;

CREATE TABLE visit_event (
    id uuid CONSTRAINT pk_visit_event PRIMARY KEY,
    facility_id uuid NOT NULL CONSTRAINT fk_visit_event_facility_id REFERENCES facility (id),
    sender_id uuid NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL CONSTRAINT ck_visit_event_kind CHECK (
        kind IN ('tests-ordered', 'paid', 'performed', 'result-ready', 'prescribed', 'discharged')),
    occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    body jsonb NOT NULL,
    digest bytea NOT NULL,
    visit_id uuid CONSTRAINT fk_visit_event_visit_id REFERENCES visit (id),
    state text NOT NULL CONSTRAINT ck_visit_event_state CHECK (state IN ('applied', 'pending', 'dismissed')),
    why text,
    first_state text,
    first_why text,
    tries integer NOT NULL DEFAULT 0,
    settled_at timestamptz,
    settled_by uuid,
    reason text,
    CONSTRAINT uq_visit_event_facility_id_sender_id_source_event_id
        UNIQUE (facility_id, sender_id, source, event_id),
    CONSTRAINT ck_visit_event_settled CHECK ((state = 'pending') = (settled_at IS NULL)),
    CONSTRAINT ck_visit_event_dismissed CHECK ((state = 'dismissed') = (reason IS NOT NULL))
);
CREATE INDEX ix_visit_event_pending ON visit_event (facility_id, received_at) WHERE state = 'pending';
CREATE INDEX ix_visit_event_visit_id ON visit_event (visit_id);

CREATE TABLE visit_path (
    facility_id uuid CONSTRAINT pk_visit_path PRIMARY KEY
        CONSTRAINT fk_visit_path_facility_id REFERENCES facility (id),
    pays_before_tests text[] NOT NULL,
    settles_at_end text[] NOT NULL,
    tests text NOT NULL CONSTRAINT ck_visit_path_tests CHECK (
        tests IN ('shortest', 'laboratory-first', 'imaging-first')),
    results text NOT NULL CONSTRAINT ck_visit_path_results CHECK (results IN ('room', 'desk')),
    places_ahead integer NOT NULL CONSTRAINT ck_visit_path_places_ahead CHECK (places_ahead BETWEEN 0 AND 20),
    version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL,
    CONSTRAINT ck_visit_path_pays_before_tests CHECK (pays_before_tests <@ '{insured,self-pay}'),
    CONSTRAINT ck_visit_path_settles_at_end CHECK (settles_at_end <@ '{insured,self-pay}')
);
"""

WALLS = """
ALTER TABLE visit ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON visit USING (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'patient' THEN patient_id IS NOT NULL AND app_sees_patient(patient_id)
        WHEN 'staff' THEN facility_id = ANY (app_facilities())
        WHEN 'kiosk' THEN facility_id = ANY (app_facilities())
        WHEN 'integrator' THEN facility_id = ANY (app_facilities())
        ELSE false
    END);
ALTER TABLE visit_order ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON visit_order USING (
    app_kind() = 'system' OR (app_kind() IN ('staff', 'integrator') AND facility_id = ANY (app_facilities())));
ALTER TABLE visit_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON visit_event USING (
    app_kind() = 'system' OR (app_kind() IN ('staff', 'integrator') AND facility_id = ANY (app_facilities())));
REVOKE DELETE ON visit, visit_order, visit_event, visit_path FROM telehealth_app;

-- What is said aloud and printed on each slip of a visit.
CREATE FUNCTION visit_code(p_visit uuid) RETURNS text
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT code FROM visit WHERE id = p_visit
$$;

-- The slip in the hand stands for the whole visit: its page shows the number that counts now.
CREATE FUNCTION ticket_now(p_token_hash bytea) RETURNS bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(
        (SELECT n.public_token_hash FROM ticket t JOIN ticket n ON n.visit_id = t.visit_id
          WHERE t.public_token_hash = p_token_hash AND t.status IN ('done', 'cancelled')
          ORDER BY n.status IN ('called', 'serving') DESC, n.status IN ('waiting', 'parked') DESC,
                   n.status = 'missed' DESC, n.issued_at DESC, n.number DESC
          LIMIT 1),
        p_token_hash)
$$;

-- The visit behind a slip, without a personal column.
CREATE FUNCTION visit_by_token(p_token_hash bytea)
RETURNS TABLE (visit_id uuid, facility_id uuid, code text, insured boolean, room_id uuid,
               registered boolean, seen boolean, prescribed boolean, settled boolean, dispensed boolean,
               discharged boolean, ended boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT v.id, v.facility_id, v.code, v.insured, v.room_id, v.registered_at IS NOT NULL,
           v.seen_at IS NOT NULL, v.prescribed_at IS NOT NULL, v.settled_at IS NOT NULL,
           v.dispensed_at IS NOT NULL, v.discharged_at IS NOT NULL, v.ended_at IS NOT NULL
      FROM ticket t JOIN visit v ON v.id = t.visit_id WHERE t.public_token_hash = p_token_hash
$$;
CREATE FUNCTION orders_by_token(p_token_hash bytea)
RETURNS TABLE (id uuid, category text, room_id uuid, paid boolean, performed boolean, ready boolean,
               collected boolean, read boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.id, o.category, o.room_id, o.paid_at IS NOT NULL, o.performed_at IS NOT NULL,
           o.ready_at IS NOT NULL, o.collected_at IS NOT NULL, o.read_at IS NOT NULL
      FROM ticket t JOIN visit_order o ON o.visit_id = t.visit_id
     WHERE t.public_token_hash = p_token_hash AND o.revoked_at IS NULL
     ORDER BY o.ordered_at, o.identifier_value
$$;
CREATE FUNCTION tickets_by_token(p_token_hash bytea)
RETURNS TABLE (queue_id uuid, number integer, status text, issued_at timestamptz, done_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT n.queue_id, n.number, n.status, n.issued_at, n.done_at
      FROM ticket t JOIN ticket n ON n.visit_id = t.visit_id
     WHERE t.public_token_hash = p_token_hash ORDER BY n.issued_at, n.number
$$;

-- Every number belongs to a visit: that of the number it follows, else the person's open one of the day,
-- else a new one. A press that was answered before (it waited at the counter) begins none.
CREATE FUNCTION belong_to_a_visit() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    v_kind text;
    v_insured boolean;
    v_tries integer := 0;
BEGIN
    IF NEW.visit_id IS NULL AND EXISTS (
        SELECT FROM ticket t WHERE t.issued_by = NEW.issued_by AND t.press_key = NEW.press_key)
    THEN RETURN NEW; END IF;
    SELECT q.kind INTO v_kind FROM queue q WHERE q.id = NEW.queue_id;
    v_insured := NEW.purpose = 'insured' OR EXISTS (
        SELECT FROM appointment a WHERE a.id = NEW.appointment_id AND a.coverage_basis <> 'none');
    IF NEW.visit_id IS NULL AND NEW.transferred_from_id IS NOT NULL THEN
        SELECT t.visit_id INTO NEW.visit_id FROM ticket t WHERE t.id = NEW.transferred_from_id;
    END IF;
    IF NEW.visit_id IS NULL AND NEW.patient_id IS NOT NULL THEN
        SELECT v.id INTO NEW.visit_id FROM visit v
         WHERE v.patient_id = NEW.patient_id AND v.facility_id = NEW.facility_id
           AND v.business_date = NEW.business_date AND v.ended_at IS NULL
         ORDER BY v.opened_at DESC LIMIT 1;
    END IF;
    IF NEW.visit_id IS NOT NULL THEN
        UPDATE visit v SET room_id = CASE WHEN v_kind = 'clinic' THEN coalesce(v.room_id, NEW.queue_id)
                                          ELSE v.room_id END,
               patient_id = coalesce(v.patient_id, NEW.patient_id), insured = v.insured OR v_insured
         WHERE v.id = NEW.visit_id
           AND (v.patient_id IS NULL AND NEW.patient_id IS NOT NULL OR v_insured AND NOT v.insured
                OR v.room_id IS NULL AND v_kind = 'clinic');
        RETURN NEW;
    END IF;
    WHILE NEW.visit_id IS NULL LOOP
        INSERT INTO visit (facility_id, business_date, code, patient_id, room_id, insured, opened_at)
        VALUES (NEW.facility_id, NEW.business_date,
                CASE WHEN v_tries < 20 THEN 1000 + floor(random() * 9000)
                     ELSE 100000 + floor(random() * 900000) END::integer::text,
                NEW.patient_id, CASE WHEN v_kind = 'clinic' THEN NEW.queue_id END, v_insured, NEW.issued_at)
        ON CONFLICT (facility_id, business_date, code) DO NOTHING
        RETURNING id INTO NEW.visit_id;
        v_tries := v_tries + 1;
    END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER belong_to_a_visit BEFORE INSERT ON ticket FOR EACH ROW EXECUTE FUNCTION belong_to_a_visit();
"""

UNDO = """
DROP TRIGGER belong_to_a_visit ON ticket;
DROP FUNCTION belong_to_a_visit();
DROP FUNCTION tickets_by_token(bytea);
DROP FUNCTION orders_by_token(bytea);
DROP FUNCTION visit_by_token(bytea);
DROP FUNCTION ticket_now(bytea);
DROP FUNCTION visit_code(uuid);
DROP TABLE visit_path;
DROP TABLE visit_event;
DROP TABLE visit_order;
ALTER TABLE ticket DROP COLUMN visit_id;
DROP TABLE visit;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(WALLS)


def downgrade() -> None:
    op.execute(UNDO)
