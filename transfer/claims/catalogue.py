"""The claims C1 to C14 as data: what is measured, and on which side of what it should lie."""

from __future__ import annotations

from transfer.claims.chance import (
    metrics_differ,
    scales_differ,
    structure,
    tie_of_alignment,
    tie_of_rankings,
)
from transfer.claims.claim import Claim, Row, figures
from transfer.claims.quantities import (
    alignment_of,
    alignment_persistence_of,
    at_scale,
    change,
    code_helps,
    code_on_commonsense,
    confidence_less_accuracy,
    flip_share,
    lowest_coherence,
    mean_coherence,
    negative_share,
    not_comparable,
    opposite_effects,
    published_change,
    rank_persistence,
    structure_of_confidence,
    trade,
)
from transfer.claims.remarks import (
    benchmarks_in,
    changes_sign,
    effects_are_clear,
    normalized_alike,
    pairs_in,
    without_one,
)

HALF = 0.5
"""The paper's threshold for rankings that persist (C1); read as "high" alignment too (C11)."""

NEAR_ZERO = 0.3
"""An alignment nearer to 0 than this is read as "near zero"."""

_SHARE_NOTE = (
    "The interval runs from the share of benchmarks whose own interval, widened for their number, "
    "lies wholly on that side to the share whose interval reaches it."
)

CLAIMS: tuple[Claim, ...] = (
    Claim(
        "C1",
        "Commonsense and Science accuracy rankings persist; NLI and Semantic ones are weak",
        tuple(
            Row(
                f"mean r_acc of {category} benchmarks > 0.5",
                at_scale(rank_persistence("accuracy", category)),
                above=HALF,
                test=tie_of_rankings("accuracy", category),
                remarks=(benchmarks_in(("accuracy",), category),),
                strong=(category,),
                note="The digest gives the threshold, not the value.",
            )
            for category in ("Commonsense", "Science")
        )
        + tuple(
            Row(
                f"mean r_acc of {category} benchmarks < 0.5",
                at_scale(rank_persistence("accuracy", category)),
                below=HALF,
                published=figures("cross_stage_accuracy", *known),
                test=tie_of_rankings("accuracy", category),
                remarks=(benchmarks_in(("accuracy",), category),),
                measurable=(category,),
                note="Published for three benchmarks only; weak is read as below 0.5.",
            )
            for category, known in (("NLI", ("mnli",)), ("Semantic", ("wic", "multirc")))
        ),
    ),
    Claim(
        "C2",
        "confidence persists more than accuracy at the small scale",
        (
            Row(
                "mean r_conf less mean r_acc > 0",
                at_scale(confidence_less_accuracy),
                above=0,
                published=(
                    ("cross_stage_confidence", "mean_of_benchmarks", None),
                    ("cross_stage_accuracy", "mean_of_benchmarks", None),
                ),
                combine=lambda values: values[0] - values[1],
                only="smallest",
                test=metrics_differ,
                remarks=(benchmarks_in(("confidence", "accuracy")),),
            ),
        ),
    ),
    Claim(
        "C3",
        "the benchmark by benchmark confidence structure persists",
        (
            Row(
                "structure persistence of confidence > 0",
                at_scale(structure_of_confidence),
                above=0,
                published=(("structure_similarity_confidence", "all_benchmark_pairs", None),),
                only="smallest",
                test=structure,
                by_test=True,
                note="A verdict needs the Mantel test and the interval: a resample holds mixtures "
                "twice, which makes both matrices more extreme.",
            ),
        ),
    ),
    Claim(
        "C4",
        "some benchmarks transfer negatively or flip sign with scale",
        (
            Row(
                "share of benchmarks with r_acc < 0",
                negative_share,
                above=0,
                published=figures("cross_stage_accuracy", "wic", "winogrande", "mnli"),
                combine=not_comparable,
                measurable=(),
                some=True,
                note="Stands in for WiC, WinoGrande and MNLI. " + _SHARE_NOTE,
            ),
            Row(
                "share of benchmarks whose r_acc changes sign with scale",
                flip_share,
                above=0,
                published=figures("cross_stage_accuracy", "winogrande", "mnli"),
                combine=not_comparable,
                across=True,
                measurable=(),
                some=True,
                note="Stands in for WinoGrande and MNLI. " + _SHARE_NOTE,
            ),
        ),
    ),
    Claim(
        "C5",
        "benchmarks of one category compete",
        tuple(
            Row(
                f"mean coherence of accuracy in {category} before SFT < 0",
                at_scale(mean_coherence("accuracy", "pretrain", category)),
                below=0,
                remarks=(pairs_in("accuracy", "pretrain", category),),
                measurable=(category,),
                note="The digests give the sign, not the value.",
            )
            for category in ("Commonsense", "Semantic")
        ),
    ),
    Claim(
        "C6",
        "a black sheep in Commonsense (WinoGrande) and in Semantic (WSC)",
        tuple(
            Row(
                f"lowest mean coherence of a {category} benchmark with the rest of it < 0",
                lowest_coherence(category),
                below=0,
                published=published,
                measurable=(category,),
                some=True,
                note=f"The benchmark with the lowest value stands in for {sheep}; its interval is "
                "widened for the choice among them.",
            )
            for category, sheep, published in (
                (
                    "Commonsense",
                    "WinoGrande",
                    (
                        (
                            "intra_category_accuracy",
                            "winogrande_with_rest_of_commonsense",
                            "pretrain",
                        ),
                    ),
                ),
                ("Semantic", "WSC", ()),
            )
        ),
    ),
    Claim(
        "C7",
        "inverse scaling: accuracy transfer rises with scale, confidence transfer falls",
        tuple(
            Row(
                f"change of mean {short} with scale {sign} 0",
                change(rank_persistence(metric)),
                above=0 if sign == ">" else None,
                below=0 if sign == "<" else None,
                published=((f"cross_stage_{metric}", "mean_of_benchmarks", None),),
                combine=published_change,
                across=True,
                test=scales_differ(metric),
                remarks=(benchmarks_in((metric,)),),
            )
            for metric, short, sign in (("accuracy", "r_acc", ">"), ("confidence", "r_conf", "<"))
        )
        + tuple(
            Row(
                f"change of mean r_conf in {category} with scale < 0",
                change(rank_persistence("confidence", category)),
                below=0,
                published=(("cross_stage_confidence", category, None),),
                combine=published_change,
                across=True,
                test=scales_differ("confidence", category),
                remarks=(benchmarks_in(("confidence",), category),),
                note="The published values are the authors' own, from the caption of figure 1.",
            )
            for category in ("Commonsense", "Science")
        ),
    ),
    Claim(
        "C8",
        "Science goes from competition to synergy with scale",
        (
            Row(
                "change of mean coherence of accuracy in Science after SFT > 0",
                change(mean_coherence("accuracy", "sft", "Science")),
                above=0,
                published=(("intra_category_accuracy", "Science", "sft"),),
                combine=published_change,
                across=True,
                remarks=(
                    pairs_in("accuracy", "sft", "Science"),
                    changes_sign(mean_coherence("accuracy", "sft", "Science")),
                ),
                note="Agrees only if it lies below zero before and above zero after.",
            ),
        ),
    ),
    Claim(
        "C9",
        "confidence coherence falls with scale but stays positive",
        (
            Row(
                "change of mean coherence of confidence in Commonsense and Science < 0",
                change(mean_coherence("confidence", "pretrain", "Commonsense", "Science")),
                below=0,
                published=figures("intra_category_confidence", "Commonsense", "Science"),
                combine=published_change,
                across=True,
                remarks=(pairs_in("confidence", "pretrain", "Commonsense", "Science"),),
                note="The two categories with published values; before SFT.",
            ),
            Row(
                "mean coherence of confidence in Commonsense and Science > 0",
                at_scale(mean_coherence("confidence", "pretrain", "Commonsense", "Science")),
                above=0,
                published=figures("intra_category_confidence", "Commonsense", "Science"),
                remarks=(pairs_in("confidence", "pretrain", "Commonsense", "Science"),),
                note="The two categories with published values; before SFT.",
            ),
        ),
    ),
    Claim(
        "C10",
        "NLI is the one category whose confidence coherence rises with scale",
        tuple(
            Row(
                f"change of mean coherence of confidence in {category} {sign} 0",
                change(mean_coherence("confidence", "pretrain", category)),
                above=0 if sign == ">" else None,
                below=0 if sign == "<" else None,
                across=True,
                remarks=(pairs_in("confidence", "pretrain", category),),
                note="The digests give the sign, not the value; before SFT. The claim needs all "
                "four categories.",
            )
            for category, sign in (
                ("NLI", ">"),
                ("Commonsense", "<"),
                ("Science", "<"),
                ("Semantic", "<"),
            )
        ),
    ),
    Claim(
        "C11",
        "alignment: Science high, Commonsense near zero, Semantic negative",
        tuple(
            Row(
                quantity,
                at_scale(alignment_of(category)),
                above=above,
                below=below,
                published=(("alignment", category, None),),
                remarks=(without_one(alignment_of, category), normalized_alike(category)),
                note="Mean of both stages." + extra,
            )
            for category, quantity, above, below, extra in (
                ("Science", "alignment in Science > 0.5", HALF, None, " High is read as > 0.5."),
                (
                    "Commonsense",
                    "alignment in Commonsense between −0.3 and 0.3",
                    -NEAR_ZERO,
                    NEAR_ZERO,
                    " Near zero is read as within 0.3.",
                ),
                ("Semantic", "alignment in Semantic < 0", None, 0, ""),
            )
        ),
    ),
    Claim(
        "C12",
        "alignment persists through SFT except in NLI",
        tuple(
            Row(
                quantity,
                at_scale(alignment_persistence_of(*categories)),
                above=above,
                below=below,
                published=figures("alignment_persistence", *categories),
                test=tie_of_alignment(*categories),
                by_test=True,
                remarks=(
                    without_one(alignment_persistence_of, *categories),
                    normalized_alike(*categories),
                ),
            )
            for quantity, above, below, categories in (
                (
                    "mean alignment persistence of Commonsense, Science and Semantic > 0",
                    0,
                    None,
                    ("Commonsense", "Science", "Semantic"),
                ),
                ("alignment persistence of NLI < 0", None, 0, ("NLI",)),
            )
        ),
    ),
    Claim(
        "C13",
        "educational filtering trades accuracy against alignment, in NLI with opposite signs at "
        "the two scales",
        (
            Row(
                "product of the filter's effects on NLI accuracy and alignment < 0",
                at_scale(trade),
                below=0,
                published=(
                    ("educational_filter_accuracy_delta", "NLI", "pretrain"),
                    ("educational_filter_alignment_delta", "NLI", "pretrain"),
                ),
                combine=lambda values: values[0] * values[1],
                remarks=(effects_are_clear,),
                note="V2 less V1, before SFT; a negative product means that one is traded for the "
                "other.",
            ),
            Row(
                "product of the filter's effects on NLI accuracy at the two scales < 0",
                opposite_effects,
                below=0,
                published=(("educational_filter_accuracy_delta", "NLI", "pretrain"),),
                combine=lambda small, large: float(small[0] * large[0]),
                across=True,
                remarks=(effects_are_clear,),
                note="V2 less V1, before SFT; a negative product means opposite signs.",
            ),
        ),
    ),
    Claim(
        "C14",
        "code share hurts physical commonsense and helps social and abstract tasks",
        (
            Row(
                "mean r of code share with accuracy in Commonsense < 0",
                at_scale(code_on_commonsense),
                below=0,
                published=figures("code_share_vs_accuracy", "hellaswag", "piqa", stage="pretrain"),
                note="Commonsense stands in for HellaSwag and PIQA; before SFT. Code share goes "
                "with curated share and against web share, so this is not of code alone.",
            ),
            Row(
                "share of benchmarks outside Commonsense that gain with code share",
                code_helps,
                above=0,
                published=figures("code_share_vs_accuracy", "siqa", "boolq", stage="pretrain"),
                combine=not_comparable,
                note="Stands in for SIQA and BoolQ; before SFT. " + _SHARE_NOTE,
            ),
        ),
    ),
)
