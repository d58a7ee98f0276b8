"""Fairness: the waitlist and the places that become free."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE waitlist_entry (
    id uuid CONSTRAINT pk_waitlist_entry PRIMARY KEY,
    patient_id uuid NOT NULL CONSTRAINT fk_waitlist_entry_patient_id_patient REFERENCES patient (id),
    account_id uuid CONSTRAINT fk_waitlist_entry_account_id_account REFERENCES account (id),
    desk_id uuid CONSTRAINT fk_waitlist_entry_desk_id_facility REFERENCES facility (id),
    service_code text NOT NULL,
    facility_id uuid CONSTRAINT fk_waitlist_entry_facility_id_facility REFERENCES facility (id),
    area text,
    practitioner_id uuid CONSTRAINT fk_waitlist_entry_practitioner_id_practitioner REFERENCES practitioner (id),
    modality text,
    first_day date NOT NULL,
    last_day date NOT NULL,
    weekdays smallint[] NOT NULL,
    from_minute integer NOT NULL,
    to_minute integer NOT NULL,
    channel text NOT NULL,
    coverage_basis text NOT NULL,
    bound tstzrange,
    state text NOT NULL,
    since timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    looked_at timestamptz,
    appointment_id uuid CONSTRAINT fk_waitlist_entry_appointment_id_appointment REFERENCES appointment (id),
    CONSTRAINT ck_waitlist_entry_state CHECK (state IN ('waiting', 'offered', 'booked', 'left', 'over')),
    CONSTRAINT ck_waitlist_entry_channel CHECK (channel IN ('online', 'desk', 'kiosk', 'referral')),
    CONSTRAINT ck_waitlist_entry_modality CHECK (modality IN ('in-person', 'video')),
    CONSTRAINT ck_waitlist_entry_coverage_basis CHECK (coverage_basis IN (
        'registered-here', 'referral-slip', 'reexamination-slip', 'listed-disease', 'emergency',
        'temporary-residence', 'elsewhere', 'none')),
    CONSTRAINT ck_waitlist_entry_days CHECK (first_day <= last_day),
    CONSTRAINT ck_waitlist_entry_minutes
        CHECK (0 <= from_minute AND from_minute < to_minute AND to_minute <= 1440),
    CONSTRAINT ck_waitlist_entry_booked CHECK ((state = 'booked') = (appointment_id IS NOT NULL))
);
CREATE UNIQUE INDEX uq_waitlist_entry_waits ON waitlist_entry (patient_id, service_code)
    WHERE state IN ('waiting', 'offered');
CREATE INDEX ix_waitlist_entry_line ON waitlist_entry (service_code, since) WHERE state IN ('waiting', 'offered');
CREATE INDEX ix_waitlist_entry_patient_id ON waitlist_entry (patient_id);

CREATE TABLE waitlist_offer (
    id uuid CONSTRAINT pk_waitlist_offer PRIMARY KEY,
    entry_id uuid NOT NULL CONSTRAINT fk_waitlist_offer_entry_id_waitlist_entry REFERENCES waitlist_entry (id),
    slot_id text NOT NULL,
    start_at timestamptz NOT NULL,
    state text NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    answered_at timestamptz,
    CONSTRAINT ck_waitlist_offer_state
        CHECK (state IN ('open', 'accepted', 'declined', 'lapsed', 'gone', 'withdrawn'))
);
CREATE UNIQUE INDEX uq_waitlist_offer_open ON waitlist_offer (entry_id) WHERE state = 'open';
CREATE INDEX ix_waitlist_offer_entry_id ON waitlist_offer (entry_id, created_at);
CREATE INDEX ix_waitlist_offer_slot ON waitlist_offer (slot_id) WHERE state = 'open';

CREATE TABLE waitlist_event (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_waitlist_event PRIMARY KEY,
    entry_id uuid NOT NULL CONSTRAINT fk_waitlist_event_entry_id_waitlist_entry REFERENCES waitlist_entry (id),
    at timestamptz NOT NULL,
    kind text NOT NULL,
    reason text,
    start_at timestamptz,
    CONSTRAINT ck_waitlist_event_kind CHECK (kind IN ('joined', 'changed', 'offered', 'passed-over', 'declined',
        'lapsed', 'gone', 'booked', 'left', 'over')),
    CONSTRAINT ck_waitlist_event_reason CHECK (reason IN ('not-your-time', 'outside-validity', 'other-doctor',
        'other-way', 'other-door', 'busy', 'have-earlier', 'no-phone', 'answered', 'desk-only')),
    CONSTRAINT ck_waitlist_event_why CHECK ((kind = 'passed-over') = (reason IS NOT NULL))
);
CREATE INDEX ix_waitlist_event_entry_id ON waitlist_event (entry_id, at);

CREATE TABLE freed_place (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_freed_place PRIMARY KEY,
    practitioner_id uuid NOT NULL,
    from_at timestamptz NOT NULL,
    to_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT ck_freed_place_times CHECK (from_at < to_at)
);
CREATE INDEX ix_freed_place_due_at ON freed_place (due_at, id);

REVOKE DELETE ON waitlist_entry, waitlist_offer FROM telehealth_app;
REVOKE UPDATE, DELETE ON waitlist_event FROM telehealth_app;
"""

# Written by the transaction that frees the place: what commits is seen, what rolls back is not. Two rows for
# one place do no harm; a unique index would lose one to a worker that is just taking it away.
TRIGGERS = """
CREATE FUNCTION note_freed_claim() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO freed_place (practitioner_id, from_at, to_at)
    VALUES (OLD.resource_id, lower(OLD.during), upper(OLD.during));
    RETURN NULL;
END $$;
CREATE TRIGGER note_freed_claim AFTER UPDATE OF active ON claim
    FOR EACH ROW WHEN (OLD.active AND NOT NEW.active AND OLD.resource_kind = 'practitioner')
    EXECUTE FUNCTION note_freed_claim();

-- Sessions come by the thousand when days are made: only those that somebody waits for.
CREATE FUNCTION note_new_sessions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO freed_place (practitioner_id, from_at, to_at)
    SELECT s.practitioner_id, s.start_at, s.end_at FROM made s
     WHERE s.status = 'open' AND EXISTS (
        SELECT FROM waitlist_entry e
         WHERE e.service_code = s.service_code AND e.state IN ('waiting', 'offered'));
    RETURN NULL;
END $$;
CREATE TRIGGER note_new_sessions AFTER INSERT ON clinic_session
    REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION note_new_sessions();

CREATE FUNCTION note_opened_session() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO freed_place (practitioner_id, from_at, to_at)
    VALUES (NEW.practitioner_id, NEW.start_at, NEW.end_at);
    RETURN NULL;
END $$;
CREATE TRIGGER note_opened_session AFTER UPDATE OF status, capacity, slot_count, online_quota ON clinic_session
    FOR EACH ROW WHEN (NEW.status = 'open' AND (OLD.status <> 'open' OR NEW.capacity > OLD.capacity
        OR NEW.slot_count > OLD.slot_count OR NEW.online_quota > OLD.online_quota))
    EXECUTE FUNCTION note_opened_session();
"""

WALLS = """
-- The family sees its own; a facility sees who waits for it, and whom its desk has put on the list.
ALTER TABLE waitlist_entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON waitlist_entry USING (
    CASE app_kind()
        WHEN 'system' THEN true
        WHEN 'patient' THEN app_sees_patient(patient_id)
        WHEN 'staff' THEN facility_id = ANY (app_facilities()) OR desk_id = ANY (app_facilities())
        ELSE false
    END);
ALTER TABLE waitlist_offer ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_entry ON waitlist_offer
    USING (EXISTS (SELECT FROM waitlist_entry e WHERE e.id = entry_id));
ALTER TABLE waitlist_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_entry ON waitlist_event
    USING (EXISTS (SELECT FROM waitlist_entry e WHERE e.id = entry_id));

-- How many wait before somebody: a number, nobody's name. In the order of waitlist.queries.LINE.
CREATE FUNCTION waitlist_ahead(p_entry uuid) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT count(*)::int FROM waitlist_entry mine JOIN waitlist_entry e
        ON e.service_code = mine.service_code AND e.id <> mine.id AND e.state IN ('waiting', 'offered')
       AND (e.facility_id IS NULL OR mine.facility_id IS NULL OR e.facility_id = mine.facility_id)
       AND (coalesce(upper(e.bound), 'infinity'), e.since, e.id)
           < (coalesce(upper(mine.bound), 'infinity'), mine.since, mine.id)
     WHERE mine.id = p_entry
$$;

-- What a link's signature is checked against, before anybody may see more.
CREATE FUNCTION waitlist_subject(p_id uuid) RETURNS TABLE (entry_id uuid, offer_id uuid, about timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT o.entry_id, o.id, o.expires_at FROM waitlist_offer o WHERE o.id = p_id
    UNION ALL
    SELECT e.id, NULL, e.since FROM waitlist_entry e WHERE e.id = p_id
$$;

-- Whoever answers an offer waits for whatever else is done for the same patient (as booking_context does).
CREATE FUNCTION lock_waiting(p_entry uuid) RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('booking:' || e.patient_id, 0))
       FROM waitlist_entry e WHERE e.id = p_entry;
    PERFORM FROM waitlist_entry e WHERE e.id = p_entry FOR UPDATE;
END $$;
"""

ATTENDANCE = """
CREATE TABLE no_show (
    appointment_id uuid CONSTRAINT pk_no_show PRIMARY KEY
        CONSTRAINT fk_no_show_appointment_id_appointment REFERENCES appointment (id),
    patient_id uuid NOT NULL CONSTRAINT fk_no_show_patient_id_patient REFERENCES patient (id),
    account_id uuid CONSTRAINT fk_no_show_account_id_account REFERENCES account (id),
    facility_id uuid NOT NULL CONSTRAINT fk_no_show_facility_id_facility REFERENCES facility (id),
    start_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    returned_at timestamptz,
    excuse text,
    excused_at timestamptz,
    excused_by uuid CONSTRAINT fk_no_show_excused_by_account REFERENCES account (id),
    graded_at timestamptz,
    CONSTRAINT ck_no_show_excuse
        CHECK (excuse IN ('sick', 'practitioner-late', 'disaster', 'our-mistake', 'appeal')),
    CONSTRAINT ck_no_show_excused CHECK ((excuse IS NULL) = (excused_at IS NULL))
);
CREATE INDEX ix_no_show_patient_id ON no_show (patient_id, start_at);
CREATE INDEX ix_no_show_account_id ON no_show (account_id, start_at);
CREATE INDEX ix_no_show_ungraded ON no_show (patient_id) WHERE graded_at IS NULL;
REVOKE DELETE ON no_show FROM telehealth_app;

CREATE TABLE confirmation_request (
    appointment_id uuid NOT NULL
        CONSTRAINT fk_confirmation_request_appointment_id_appointment REFERENCES appointment (id),
    start_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    asked_at timestamptz NOT NULL,
    closed_at timestamptz,
    released boolean NOT NULL DEFAULT false,
    CONSTRAINT pk_confirmation_request PRIMARY KEY (appointment_id, start_at),
    CONSTRAINT ck_confirmation_request_released CHECK (closed_at IS NOT NULL OR NOT released)
);
CREATE INDEX ix_confirmation_request_due_at ON confirmation_request (due_at) WHERE closed_at IS NULL;

ALTER TABLE appointment DROP CONSTRAINT ck_appointment_cancel_reason;
ALTER TABLE appointment ADD CONSTRAINT ck_appointment_cancel_reason
    CHECK (cancel_reason IS NULL OR cancel_reason IN ('patient', 'patient-better', 'patient-elsewhere',
        'patient-no-transport', 'practitioner-away', 'facility', 'entered-in-error', 'not-confirmed'));

-- Whoever records that somebody was missed, and by whichever door, it is written down with it.
CREATE FUNCTION note_no_show() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.status = 'noshow' AND NEW.patient_id IS NOT NULL THEN
        INSERT INTO no_show (appointment_id, patient_id, account_id, facility_id, start_at, recorded_at)
        VALUES (NEW.id, NEW.patient_id, NEW.account_id, NEW.facility_id, NEW.start_at, NEW.updated_at)
        ON CONFLICT (appointment_id) DO UPDATE SET returned_at = NULL, graded_at = NULL;
    ELSE
        UPDATE no_show SET returned_at = NEW.updated_at, graded_at = NULL WHERE appointment_id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER note_no_show AFTER UPDATE OF status ON appointment
    FOR EACH ROW WHEN (OLD.status <> NEW.status AND 'noshow' IN (OLD.status, NEW.status))
    EXECUTE FUNCTION note_no_show();

-- Who sees the person sees what they missed.
ALTER TABLE no_show ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_their_patient ON no_show USING (app_sees_patient(patient_id));
ALTER TABLE confirmation_request ENABLE ROW LEVEL SECURITY;
CREATE POLICY with_its_appointment ON confirmation_request
    USING (EXISTS (SELECT FROM appointment a WHERE a.id = appointment_id));
"""

UNDO = """
DROP TRIGGER note_no_show ON appointment;
DROP FUNCTION note_no_show();
DROP TABLE confirmation_request, no_show;
UPDATE appointment SET cancel_reason = 'patient' WHERE cancel_reason = 'not-confirmed';
ALTER TABLE appointment DROP CONSTRAINT ck_appointment_cancel_reason;
ALTER TABLE appointment ADD CONSTRAINT ck_appointment_cancel_reason
    CHECK (cancel_reason IS NULL OR cancel_reason IN ('patient', 'patient-better', 'patient-elsewhere',
        'patient-no-transport', 'practitioner-away', 'facility', 'entered-in-error'));
DROP FUNCTION lock_waiting(uuid);
DROP FUNCTION waitlist_subject(uuid);
DROP FUNCTION waitlist_ahead(uuid);
DROP TRIGGER note_opened_session ON clinic_session;
DROP FUNCTION note_opened_session();
DROP TRIGGER note_new_sessions ON clinic_session;
DROP FUNCTION note_new_sessions();
DROP TRIGGER note_freed_claim ON claim;
DROP FUNCTION note_freed_claim();
DROP TABLE freed_place, waitlist_event, waitlist_offer, waitlist_entry;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(TRIGGERS)
    op.execute(WALLS)
    op.execute(ATTENDANCE)


def downgrade() -> None:
    op.execute(UNDO)
