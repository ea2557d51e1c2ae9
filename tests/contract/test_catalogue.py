"""Every category has a family and both names."""

from contract.catalogue import Category, Family, categories_of


def test_every_category_has_a_name_in_both_languages() -> None:
    assert all(category.name_zh and category.name_en for category in Category)


def test_families_share_out_all_categories() -> None:
    assert sorted(c for family in Family for c in categories_of(family)) == sorted(Category)
