"""What a scanner or a finger gave: cards, numbers and codes. Pure, and it keeps no trace."""
