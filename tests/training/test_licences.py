from training import data
from training.licences import TERMS, terms


def test_every_data_set_that_is_known_has_its_terms() -> None:
    for name in data.SOURCES:
        found = terms(name)
        assert found is not None, name
        assert name.startswith(found.title.lower().replace("cifar-", "cifar"))
    assert terms("folder:photos") is None
    assert terms("mnistic") is None


def test_terms_are_complete() -> None:
    for found in TERMS.values():
        assert found.licence
        assert found.citation[-4:].isdigit(), found.citation
