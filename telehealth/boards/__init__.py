"""What hangs and sounds in a hall: boards of an area, spoken calls, the hall's state, its figures."""
