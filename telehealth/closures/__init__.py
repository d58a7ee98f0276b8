"""Sessions that cannot be held after all: everybody in them is offered another time, told, or telephoned."""
