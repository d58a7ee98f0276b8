error-record-merged = One of the two records was merged before. Please look again.
error-merge-needs-choice = Both records have an appointment at the same time. Choose which one stays.
error-merge-needs-others = Another facility has an appointment at the same time. It must cancel one before the records are merged.
error-bad-merge = The two records cannot be merged yet. Please check.
identities-same-missing = Please confirm that you saw the papers and this is one person.
