"""What facility administrators and the province do with staff, devices and the trail."""
