# Makes the constants of test_dependent.py and test_ceilings.py.
# R 4.2.2, psych 2.2.9: Rscript tests/uncertainty/constants.R
suppressMessages(library(psych))
options(digits = 10)
# Dependent correlations without a shared variable (Steiger's case B), n = 103.
print(r.test(103, r12 = .5, r34 = .6, r13 = .8, r14 = .5, r23 = .5, r24 = .7)$z)
print(r.test(60, r12 = .3, r34 = .4, r13 = .2, r14 = .1, r23 = .15, r24 = .25)$z)
# Scores of six mixtures on four items, and of six mixtures in three seeds.
cells <- matrix(c(2, 4, 3, 5,  6, 7, 5, 8,  1, 2, 2, 4,  7, 6, 8, 9,  3, 5, 4, 4,  5, 5, 7, 8),
                nrow = 6, byrow = TRUE)
print(ICC(cells, lmer = FALSE)$results[, c("type", "ICC", "lower bound", "upper bound")])
seeds <- cells[, 1:3]
print(ICC(seeds, lmer = FALSE)$results[, c("type", "ICC", "lower bound", "upper bound")])
