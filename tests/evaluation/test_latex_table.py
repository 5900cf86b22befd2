r"""table.tex: the summary with published rows below ours, every name escaped, and keys that references.bib has."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from oddlens.evaluation.citations import write_bibtex
from oddlens.evaluation.document import MetricsDocument
from oddlens.evaluation.latex_table import cite, escaped, write_latex
from oddlens.evaluation.metric_names import METRICS

GOLDEN = Path(__file__).parent / "golden" / "table.tex"


@pytest.fixture
def document() -> MetricsDocument:
    """WinCLIP on the MVTec AD that is published and on a folder of one's own with a difficult name, and PatchCore's descendant."""
    usual = {"changed": {}, "weights": None, "trained_on": []}
    plus = "laion400m-vit-b-16-plus-240-e31"
    published = {
        "source": "a paper, 90 % read",
        "mark": "R",
        "percent": {"image_auroc": 91.8, "pixel_aupro": 64.6},
        "std": {"image_auroc": 0.4},
        "by_category": {},
    }
    by_category_only = {**published, "source": "logs", "percent": {}, "std": {}}

    def result(dataset: str, method: str, shots: int, mean: dict, std: dict, published: list) -> dict:
        return {
            "dataset": dataset, "method": method, "shots": shots, "seeds": [None], "by_seed": [], "categories_counted": {},
            "categories": [{"category": "one", "notes": []}], "published": published,
            "mean": {"image_auroc": None, "pixel_fpr95": None} | mean, "std": {"image_auroc": None, "pixel_fpr95": None} | std,
        }  # fmt: skip

    return {  # type: ignore[return-value]
        "methods": {
            "winclip": {"model": plus, "title": "WinCLIP", "citations": ["jeong2023winclip"]} | usual,
            "patch-knn": {"model": "mini", "title": "patch-knn", "citations": ["roth2022towards"]} | usual,
        },
        "datasets": {
            "mvtec": {"layout": "mvtec", "problems": 0, "folders_left_out": [], "recognised_as": "MVTec AD"},
            "our_parts & {50%}": {"layout": "folder", "problems": 0, "folders_left_out": [], "recognised_as": None},
        },
        "evaluation": {"pixels_compared_at": "each image's own size", "aupro_limit": 0.3},
        "results": [
            result("mvtec", "winclip", 0, {"image_auroc": 0.9, "pixel_fpr95": 0.25}, {}, [published, by_category_only]),
            result("mvtec", "winclip", 4, {"image_auroc": 0.95}, {"image_auroc": 0.0123}, []),
            result("our_parts & {50%}", "patch-knn", 4, {"pixel_fpr95": 0.031}, {}, []),
        ],
        "skipped": [],
    }


def test_the_table_is_this(document: MetricsDocument) -> None:
    assert write_latex(document) == GOLDEN.read_text(encoding="utf-8")


def test_every_key_of_the_table_has_an_entry(document: MetricsDocument) -> None:
    cited = {key for keys in re.findall(r"\\cite\{([^}]*)\}", write_latex(document)) for key in keys.split(",")}
    entries = set(re.findall(r"^@\w+\{(\w+),", write_bibtex(document), re.MULTILINE))
    assert cited == entries
    assert len(cited) == 7


def test_a_method_without_a_row_is_not_in_the_caption(document: MetricsDocument) -> None:
    document["methods"]["anovl"] = {**document["methods"]["winclip"], "title": "AnoVL", "citations": ["deng2023anovl"]}
    assert "AnoVL" not in write_latex(document)


def test_what_was_not_measured_has_no_row(document: MetricsDocument) -> None:
    document["results"][2]["categories"] = []
    text = write_latex(document)
    assert "patch-knn~" not in text
    assert "our\\_parts" not in text


def test_what_is_to_be_known_of_figures_stands_above_them_as_comments(document: MetricsDocument) -> None:
    document["results"][0]["categories"][0]["notes"] = ["with 1 good example\nevery seed picks the same"]
    document["results"][1]["categories"][0]["notes"] = ["the weights were trained on these test images"]
    assert write_latex(document).splitlines()[1:4] == [
        "% mvtec (one), winclip: with 1 good example every seed picks the same",
        "% mvtec (one), winclip: the weights were trained on these test images",
        r"\begin{table*}",
    ]


def test_a_mean_over_fewer_categories_has_a_star_beside_its_column(document: MetricsDocument) -> None:
    assert "fewer" not in write_latex(document)
    result = document["results"][1]
    result["categories"] *= 2
    result["categories_counted"] = {"image_auroc": 1, "pixel_fpr95": 2}
    text = write_latex(document)
    assert r"& 4 & $95.0 \pm 1.2$\rlap{*} &" in text
    assert text.count("rlap") == 1
    assert "0.3. *: a mean over fewer categories, since the others do not define this figure.}" in text


def test_a_mean_over_a_category_of_which_the_mask_left_nothing_has_its_mark(document: MetricsDocument) -> None:
    first = document["results"][0]
    first["categories"][0] |= {"unseen": 2, "mean": first["mean"]}
    text = write_latex(document)
    assert r"& 0 & 90.0\rlap{$\dagger$} & " in text
    assert r"& 25.0\rlap{$\dagger$} \\" in text
    assert text.count("rlap") == 2
    assert r"0.3. $\dagger$: with test images of which the mask" in text


def test_a_figure_that_is_nearly_zero_is_set_as_a_number(document: MetricsDocument) -> None:
    document["results"][0]["mean"]["image_auroc"] = 0.0002
    assert r"& 0 & $<0.1$ &" in write_latex(document)


def test_the_caption_says_which_settings_are_not_the_defaults(document: MetricsDocument) -> None:
    assert "Settings" not in write_latex(document)
    document["methods"]["winclip"] |= {"changed": {"prompts": "two_words"}, "weights": "here/learned_50%.pth"}
    said = r"0.3. Settings other than the defaults: WinCLIP with prompts=two\_words, weights learned\_50\%.pth.}"
    assert said in write_latex(document)
    document["methods"]["winclip"]["trained_on"] = ["my_parts"]
    assert r"weights learned\_50\%.pth (trained on my\_parts).}" in write_latex(document)


def test_the_caption_explains_a_spread_only_where_there_is_one(document: MetricsDocument) -> None:
    explained = r"unweighted; $\pm$ is the standard deviation over the draws of the good examples. Pixels"
    assert explained in write_latex(document)
    for result in document["results"]:
        result["std"] = dict.fromkeys(result["std"])
    assert explained in write_latex(document), "published rows have one"
    for result in document["results"]:
        result["published"] = []
    assert "unweighted. Pixels" in write_latex(document)
    assert r"\pm" not in write_latex(document)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("a_b & 50 % #1 $x$", r"a\_b \& 50 \% \#1 \$x\$"),
        ("{~^}", r"\{\textasciitilde{}\textasciicircum{}\}"),
        ("C:\\parts", r"C:\textbackslash{}parts"),
        ("two\nlines", "two lines"),
        ("FPR95 ↓", r"FPR95 $\downarrow$"),
    ],
)
def test_names_are_escaped(text: str, printed: str) -> None:
    assert escaped(text) == printed


def test_nothing_to_cite_is_no_command() -> None:
    assert (cite(()), cite(("one", "two"))) == ("", "~\\cite{one,two}")


needs_tex = pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("pdflatex", "bibtex")),
    reason="needs pdflatex and bibtex: TeX Live has both",
)


def typeset(document: MetricsDocument, folder: Path, options: str = "") -> str:
    """A paper of the table and its entries; what LaTeX and BibTeX print."""
    (folder / "table.tex").write_text(write_latex(document), encoding="utf-8")
    (folder / "references.bib").write_text(write_bibtex(document), encoding="utf-8")
    (folder / "paper.tex").write_text(
        rf"\documentclass[{options}]{{article}}\usepackage{{booktabs,graphicx}}\begin{{document}}\input{{table}}"
        r"\bibliographystyle{plain}\bibliography{references}\end{document}"
    )
    printed = ""
    for command in (["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper"], ["bibtex", "paper"]):
        made = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
        assert made.returncode == 0, made.stdout
        printed += made.stdout
    return printed


@needs_tex
def test_a_paper_takes_table_and_entries(document: MetricsDocument, tmp_path: Path) -> None:
    assert "Warning--" not in typeset(document, tmp_path)


@needs_tex
@pytest.mark.parametrize("options", ["", "twocolumn"])
def test_a_table_with_all_figures_of_defects_is_no_wider_than_the_page(
    document: MetricsDocument, tmp_path: Path, options: str
) -> None:
    document["methods"]["winclip"]["changed"] = {"temperature": 0.01}
    for result in document["results"]:
        result["mean"], result["std"] = (dict.fromkeys(METRICS[:9], value) for value in (0.9123, 0.0345))
    assert "Overfull" not in typeset(document, tmp_path, options)
