"""What a patient does on the phone: find a time, book it, keep it or give it back."""
