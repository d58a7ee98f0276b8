"""The outpatient path: the numbers of one day as one visit, and what moves it on."""
