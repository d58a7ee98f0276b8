push-offer = { $device ->
    [phone] Get reminders right on this phone?
   *[other] Get reminders right on this computer?
  }
push-offer-text = { $device ->
    [phone] The phone will remind you before your visit and when your turn is near. It costs nothing. Zalo and SMS messages still come as usual.
   *[other] It will remind you before your visit and when your turn is near. It costs nothing. Zalo and SMS messages still come as usual.
  }
push-offer-privacy = A reminder has only the time, the place and the booking code; never a patient's name.
push-turn-on = Turn on reminders
push-later = Not now
push-later-noted = You can turn them on later under Family.
push-on = { $device ->
    [phone] This phone gets your reminders
   *[other] This computer gets your reminders
  }
push-on-text = Sharing this device? Sign out, and your reminders will no longer show here.
push-turn-off = Turn off reminders
push-turned-off = Reminders are off on this device.
push-failed = Reminders could not be turned on. Please check your connection and try again.
push-blocked = { $device ->
    [phone] The phone blocks reminders from this page
   *[other] The browser blocks reminders from this page
  }
push-blocked-chrome-1 = Tap the icon to the left of the page's address, at the top of the screen.
push-blocked-chrome-2 = Choose “Permissions”, then “Notifications”, and allow them.
push-blocked-chrome-3 = Load this page again.
push-blocked-app-1 = Open the iPhone's “Settings” and choose “Notifications”.
push-blocked-app-2 = Choose “{ $app }” and turn on “Allow Notifications”.
push-blocked-app-3 = Open this app again from the home screen.
push-blocked-safari-1 = In Safari open “Settings”, then “Websites”, then “Notifications”.
push-blocked-safari-2 = Find this page in the list and choose “Allow”.
push-blocked-safari-3 = Load this page again.
push-blocked-other = Open your browser's settings, find “Notifications”, allow this page, and load it again.
push-home = Get reminders right on this iPhone?
push-home-text = An iPhone gets reminders only when this page is on its home screen:
push-home-1 = Tap the Share button (a square with an arrow going up).
push-home-2 = Choose “Add to Home Screen”, then tap “Add”.
push-home-3 = Open “{ $app }” from the home screen, go to “My appointments” and tap “Turn on reminders”.
push-home-understood = Got it
push-bad-keys = The browser's keys are malformed.
push-unknown-service = Not the address of a push service we know.
error-no-push = Reminders in the browser are not set up here.
error-unknown-push-service = This browser uses a push service that we do not know.
