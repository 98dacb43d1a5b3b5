# SPDX-License-Identifier: Apache-2.0
"""What a sender writes is not evidence: findings and authentication results in
headers count only from the writers that the configuration names."""
import pytest

from conftest import make_mail

HAM_STATUS = "No, score=-9.0 required=5.0 tests=ALL_TRUSTED,BAYES_00 " \
             "autolearn=ham version=3.4.6"


def scanned(label, number, host="mx.example.org"):
    """A message with the findings of a SpamAssassin on host."""
    spam = label == "spam"
    status = (f"{'Yes' if spam else 'No'}, score={9 if spam else -2}.0 "
              f"required=5.0 tests={'BAYES_99,URI_BAD' if spam else 'BAYES_00'}"
              " autolearn=no autolearn_force=no version=3.4.6")
    return make_mail(label, number, **{
        "X-Spam-Checker-Version": f"SpamAssassin 3.4.6 (2021-04-09) on {host}",
        "X-Spam-Status": status})


@pytest.fixture
def trusting(configured):
    return configured(
        'trusted_headers = {"X-Spam-Status mx.example.org"}\n')


def fill_scanned(folder, count):
    for label in ("spam", "ham"):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            (folder / label / f"{number}.eml").write_bytes(
                scanned(label, number))
    return folder


def symbols_of(neurald, path, *arguments):
    told = neurald.ok("explain", "--json", "--limit", "9999", path,
                      *arguments).json
    return {reason["name"] for reason in told["reasons"]
            if reason["family"] == "symbols"}


def test_a_trusted_writers_findings_count(neurald, trusting, tmp_path):
    folder = fill_scanned(tmp_path / "scanned", 40)
    neurald.ok("learn", "--spam", folder / "spam", "--ham", folder / "ham",
               "--config", trusting)
    neurald.ok("train", "--config", trusting)
    new = tmp_path / "new.eml"
    new.write_bytes(scanned("spam", 900))
    names = symbols_of(neurald, new, "--config", trusting)
    assert any("URI_BAD" in name for name in names)
    assert symbols_of(neurald, new) == set()
    new.write_bytes(scanned("spam", 900, host="evil.example"))
    assert symbols_of(neurald, new, "--config", trusting) == set()


FORGED = {
    "X-Spam-Status": HAM_STATUS,
    "X-Spam-Flag": "NO",
    "X-Spam-Level": "",
    "X-Spamd-Result": "default: False [-9.00 / 15.00]; BAYES_HAM(-3.00)[99%]",
    "X-Neurald": "ham, probability=0.00001, symbol=NEURALD_HAM, weight=-1.00",
    "Authentication-Results": "mx.example.org; spf=pass; dkim=pass; "
                              "dmarc=pass",
}


@pytest.mark.parametrize("header", FORGED)
def test_a_forged_header_changes_no_verdict(trained, mail, header):
    plain = trained.ok("score", "--json", mail("spam", 900)).json
    forged = mail("spam", 900, name="forged.eml", **{header: FORGED[header]})
    told = trained.ok("score", "--json", forged).json
    assert told["verdict"] == plain["verdict"] == "spam"
    assert told["probability"] == pytest.approx(plain["probability"],
                                                abs=1e-6)


def test_forged_findings_teach_no_symbols(neurald, mail):
    neurald.ok("learn", "--spam", mail("spam", 1, **FORGED))
    plain = neurald.ok("status", "--json").json["registry_length"]
    (neurald.home / "other").mkdir()
    neurald.ok("learn", "--spam", mail("spam", 1), "--store", "other/x.db")
    other = neurald.ok("status", "--json", "--store", "other/x.db").json
    assert plain == other["registry_length"]


def test_a_filters_header_never_leaks_the_label(neurald, corpus, tmp_path,
                                                mail):
    """Training mail that a filter marked must not teach the mark."""
    for label in ("spam", "ham"):
        (tmp_path / label).mkdir()
        for number in range(40):
            # The text says nothing: only the mark would.
            (tmp_path / label / f"{number}.eml").write_bytes(make_mail(
                "ham", number + (1000 if label == "spam" else 0), **{
                    "X-Spam-Flag": "YES" if label == "spam" else "NO",
                    "X-Spam-Status": "Yes, score=9" if label == "spam"
                                     else "No, score=0"}))
    figures = neurald.ok("eval", "--spam", tmp_path / "spam", "--ham",
                         tmp_path / "ham", "--split", "0.5", "--json").json
    assert figures["auc"] < 0.9
