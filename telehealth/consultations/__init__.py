"""Video consults: rooms, and who may enter them."""
