"""The FHIR R4 facade: the same ledger, said in the words that hospital systems speak."""
