"""Labelling by pointing: a few pictures are labelled by hand, heads on the frozen features conclude the rest."""
