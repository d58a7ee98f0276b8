error-fhir-bad-parameter = The value of the parameter { $name } cannot be read.
error-fhir-unknown-parameter = The parameter { $name } is not supported here.
error-fhir-too-broad = The search is too broad. Please name { $name } as well.
error-fhir-invalid-resource = The body is not a FHIR resource that this operation takes.
error-fhir-not-offered = This time is no longer on offer. Please search again.
fhir-field-invalid = Missing, or not as FHIR has it.
fhir-more = There are more than { $count } results. Please narrow the search to see the others.
