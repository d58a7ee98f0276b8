"""Who works where and when: schedules, exceptions, clinic sessions and the slots cut from them."""
