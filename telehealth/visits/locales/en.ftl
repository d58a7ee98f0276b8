error-visit-unknown = No visit has this code today.
error-visit-over = This visit has ended.
error-event-reused = This event id was sent before with other content.
error-event-settled = Somebody else has just settled this.
field-visit-named = Name the visit by its code or by its appointment's code (one of the two).
field-orders-missing = At least one order is needed.
field-orders-twice = An order is named twice.
field-category-missing = A new order needs its category: laboratory or imaging.
