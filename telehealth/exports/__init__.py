"""Lists of a facility to take along: appointments, sessions and rosters as CSV or Excel."""
