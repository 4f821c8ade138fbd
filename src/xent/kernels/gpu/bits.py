"""What a program over rows is asked for, as bits of a number that is known when it is compiled."""

LOSS, LSE, ENTROPY, ARGMAX, SCORE_SUM = 1, 2, 4, 8, 16

#: What is done to the scores first: a factor, one number a class, a score in the place of each truth's, a soft cap.
FACTOR, OFFSET, TRUTH, CAP = 1, 2, 4, 8

#: The target: none, labels, labels with a share of every class, probabilities, log-probabilities, and labels that are
#: taken for probabilities, since classes weigh differently.
NONE, HARD, SMOOTHED, SOFT, LOGS, LABELLED = 0, 1, 2, 3, 4, 5

#: What is looked at of probabilities that nobody has read: nothing, whether they are some, whether each is 0 or 1.
UNCHECKED, PROBABILITIES, ZERO_OR_ONE = 0, 1, 2

#: The gradient: none, from a, b and h, from a and b, from one number c a row.
WITHOUT, MIXED_ENTROPY, MIXED, FUSED = 0, 1, 2, 3

#: What comes from above: nothing, a factor, a factor where 1 means that all is there already.
NOTHING, TIMES, UNLESS_ONE = 0, 1, 2

#: What φ does to elements: nothing, one form for each side, a form and a margin for the side of no.
UNSHAPED, FORMS, SHIFTED = 0, 1, 2

#: How the numbers that go with elements lie: none, one for all, one for each of the last axis, one for each element,
#: one for each row of the last axis.
ABSENT, SAME, CLASSES, EACH, ROWS = 0, 1, 2, 3, 4
