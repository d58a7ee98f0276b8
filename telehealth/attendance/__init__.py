"""Missed appointments: what follows from them, by degrees; excusing them; asking for a word beforehand."""
