error-invitee-unknown = This invitation was not found.
error-invitation-only-video = One can be invited only to a video visit that is still to come.
error-too-many-invitees = { $most } people at most can be invited to a visit.
error-bad-invitee = Something about the invited person is not right. Please check.
invitations-title = Invite a relative to the video visit
invitations-new = Invite one more
invitations-name = Full name of the invited person
invitations-name-missing = Please enter the invited person's full name.
invitations-contact = Their telephone or e-mail
invitations-contact-missing = Please enter the invited person's telephone number or e-mail.
invitations-agree = The patient wishes this person to hear what the doctor says
invitations-agree-missing = The patient must agree before somebody is invited.
invitations-send = Send the invitation
invitations-sent = The invitation was sent to { $name }.
invitations-told = { $kind ->
    [email] Sent to { $ending }
   *[phone] Sent to the number ending in { $ending }
  }
invitations-withdraw = Take back
invitations-withdrawn = The invitation was taken back.
invitations-visit-title = Invited to a video visit
invitations-visit-lead = Your relative invites you to come along to this visit.
invitations-when = When
invitations-where = Where
invitations-opens = The room opens
invitations-coming-text = If the visit moves or is cancelled, we tell you. This link always shows the latest time.
invitations-open = The room is open
invitations-open-text = The patient enters the room from their own device. Listen along there, or call the patient now.
invitations-off = The visit was cancelled
invitations-off-text = If there is a new time, your relative will invite you again.
invitations-over = The visit is over
invitations-over-text = This invitation is no longer in use.
invitations-unknown = This link does not work
invitations-unknown-text = The invitation was taken back, or part of the link is missing. Please open it from the message again, or ask who invited you.
portal-invite = Invite a relative along
