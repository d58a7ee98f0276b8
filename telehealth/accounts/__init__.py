"""Who people are: patients by phone, staff by password and TOTP, devices by token."""
