"""The booking ledger: holds, appointments, claims; nobody ever gets another's slot."""
