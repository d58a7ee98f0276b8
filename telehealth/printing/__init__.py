"""Slips on thermal paper: drawn here, sent by ESC/POS, answered for. Stands alone."""
