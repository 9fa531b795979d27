"""What is known of a passenger of the Titanic, and what a model of survival is given of it."""

from e2e_ml import festaf as fs


class Passenger(fs.FeatureView):
    """The passengers of the Titanic, a row each."""

    source = fs.csv("titanic.csv")

    passenger = fs.Entity(fs.Int32())
    survived = fs.Bool().required()
    name = fs.String()
    passenger_class = fs.Int8().accepted_values([1, 2, 3])
    sex = fs.Category().accepted_values(["male", "female"])
    age = fs.Float64().bounds(0, 110).describe("Years, with a fraction below one.")
    siblings_spouses = fs.Int32().lower_bound(0).describe("How many of them were aboard.")
    parents_children = fs.Int32().lower_bound(0).describe("How many of them were aboard.")
    fare = fs.Float64().above(0).describe("What the ticket cost, pounds; for all who travelled on it.")

    known_age = age.fill_null(28.0).describe("The age; the median where it is not known.")
    is_child = known_age < 12
    is_mr = name.contains("Mr. ")
    is_male, is_female = sex.one_hot(["male", "female"])
    ordinal_sex = sex.ordinal(["male", "female"])
    family = siblings_spouses + parents_children + 1
    fare_each = (fare / family).round(2)
    mother = is_female & ~is_child & (parents_children > 0)


class Survival(fs.FeatureService):
    """Who survives."""

    features = (
        Passenger.passenger_class,
        Passenger.known_age,
        Passenger.is_mr,
        Passenger.is_male,
        Passenger.family,
        Passenger.fare_each,
        Passenger.mother,
    )
    target = Passenger.survived
