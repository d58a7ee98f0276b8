"""What the province's operators see of the messages and do with them."""
