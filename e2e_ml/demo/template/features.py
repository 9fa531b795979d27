"""What is known about a New York flight before it leaves, and the service that asks for it.

Delays are minutes, positive where late. Every view with times holds only what was known at that time: the weather once
it was observed, a flight's delay once that flight had landed.

    e2e-ml festaf plan      what a change here would do
    e2e-ml festaf apply     make it so: the DAGs follow by themselves
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from e2e_ml import festaf as fs

NEW_YORK = "America/New_York"
FIRST_DAY = datetime(2013, 1, 1, tzinfo=UTC)


class HourlyWeather(fs.FeatureView):
    """The weather at the three New York airports, as their stations observed it hour by hour."""

    source = fs.parquet("data/weather.parquet")
    owner = fs.Owner("Ingrid Solberg, weather desk", "weather-desk@example.com")
    purpose = "Wind, rain and low visibility space out the departures: most winter delays begin with a front."
    schedule = "@monthly"
    start = FIRST_DAY
    ttl = timedelta(hours=3)  # a station that has been silent for longer tells nothing about now
    tags = ("weather", "departure")

    origin = fs.Entity(fs.String()).describe("The airport of departure: EWR, JFK or LGA.")
    observed_at = fs.EventTime().describe("The hour of the observation.")

    temp = fs.Float64().bounds(-40, 130).describe("Air temperature, °F.")
    wind_speed = (
        fs.Float64()
        .bounds(0, 150)
        .describe("Wind speed, miles an hour. The station at Newark once reported 1,048 (12 February 2013).")
    )
    visib = fs.Float64().bounds(0, 10).fill_null(10.0).describe("How far one can see, miles; the stations stop at ten.")
    precip = fs.Float64().lower_bound(0).fill_null(0.0).describe("Rain or melted snow in the past hour, inches.")
    pressure = fs.Float64().bounds(900, 1100).describe("Air pressure at sea level, millibars.")

    is_freezing = (temp <= 32).describe("Freezing: aircraft have to be de-iced before they leave.")
    gusty = ((wind_speed > 25) & (visib < 3)).describe("Strong wind and poor sight together: runways are closed.")
    wind_mean_6h = (
        wind_speed.mean()
        .over(timedelta(hours=6))
        .describe("Mean wind of the past six hours: a storm matters longer than a gust.")
    )
    precip_sum_6h = precip.sum().over(timedelta(hours=6)).describe("Rain or melted snow of the past six hours, inches.")


class CarrierDelay(fs.FeatureView):
    """How late each airline's flights have been landing, told anew at every landing."""

    source = fs.parquet("data/arrivals.parquet")
    owner = fs.Owner("Marcus Adeyemi, network operations", "network-ops@example.com")
    purpose = "Lateness travels with an airline's aircraft and crews: a bad morning is still felt in the evening."
    schedule = "@monthly"
    start = FIRST_DAY
    ttl = timedelta(days=7)
    tags = ("punctuality", "airline")

    carrier = fs.Entity(fs.String()).describe("The airline's two-letter code.")
    landed_at = fs.EventTime().describe("When the flight landed. Its delay is known from then on, and not before.")

    arr_delay = fs.Float64().bounds(-180, 1440).required().describe("How late this one flight landed, minutes.")

    late = (arr_delay > 15).describe(
        "Late in the sense of the US Department of Transportation: by more than 15 minutes."
    )
    delay_mean_6h = arr_delay.mean().over(timedelta(hours=6)).describe("Mean delay today: the past six hours, minutes.")
    delay_mean_7d = arr_delay.mean().over(timedelta(days=7)).describe("Mean delay of the past week, minutes.")
    delay_mean_30d = arr_delay.mean().over(timedelta(days=30)).describe("Mean delay of the past 30 days, minutes.")
    late_share_7d = late.mean().over(timedelta(days=7)).describe("Share of flights that were late in the past week.")
    flights_7d = late.count().over(timedelta(days=7)).describe("How many flights landed in the past week.")


class RouteDelay(fs.FeatureView):
    """How late the flights of each route have been landing, told anew at every landing."""

    source = fs.parquet("data/arrivals.parquet")
    owner = fs.Owner("Marcus Adeyemi, network operations", "network-ops@example.com")
    purpose = "Some routes are late whoever flies them: crowded airspace, short turnarounds, strong head winds."
    schedule = "@monthly"
    start = FIRST_DAY
    ttl = timedelta(days=30)
    tags = ("punctuality", "route")

    origin = fs.Entity(fs.String()).describe("The airport of departure: EWR, JFK or LGA.")
    dest = fs.Entity(fs.String()).describe("The airport of arrival, by its FAA code.")
    landed_at = fs.EventTime().describe("When the flight landed. Its delay is known from then on, and not before.")

    arr_delay = fs.Float64().bounds(-180, 1440).required().describe("How late this one flight landed, minutes.")

    late = (arr_delay > 15).describe(
        "Late in the sense of the US Department of Transportation: by more than 15 minutes."
    )
    delay_mean_7d = arr_delay.mean().over(timedelta(days=7)).describe("Mean delay of the past week, minutes.")
    delay_mean_30d = arr_delay.mean().over(timedelta(days=30)).describe("Mean delay of the past 30 days, minutes.")
    flights_30d = late.count().over(timedelta(days=30)).describe("How many flights landed in the past 30 days.")
    late_share_10 = late.mean().over(rows=10).describe("Share of the route's last ten flights that were late.")


class Plane(fs.FeatureView):
    """The aircraft, from the register of the Federal Aviation Administration."""

    source = fs.parquet("data/planes.parquet")
    owner = fs.Owner("Hana Petrova, fleet data", "fleet-data@example.com")
    purpose = "Large aircraft board slowly, small ones give way to them, and old ones wait for a mechanic more often."
    schedule = "@monthly"
    start = FIRST_DAY
    tags = ("fleet",)

    tailnum = fs.Entity(fs.String()).describe("The registration painted on its tail.")

    seats = fs.Int32().bounds(1, 900).describe("How many seats it has.")
    engines = fs.Int32().bounds(1, 8).describe("How many engines it has.")
    year_built = fs.Int32().bounds(1930, 2013).describe("The year it was built in; not on record for some.")
    manufacturer = fs.String().describe("Who built it, as the register has it: some under two names.")
    engine_type = fs.String().describe("The kind of its engines.")

    maker = manufacturer.map(
        {
            "AIRBUS": "Airbus",
            "AIRBUS INDUSTRIE": "Airbus",
            "BOEING": "Boeing",
            "BOMBARDIER INC": "Bombardier",
            "EMBRAER": "Embraer",
        },
        default="other",
    ).describe("Who built it, the large ones under one name each.")
    age = (2013 - year_built).describe("Its age in 2013, years.")
    is_jet = engine_type.is_in(["Turbo-fan", "Turbo-jet"]).describe(
        "It flies by jet, and so above most of the weather."
    )


class Airport(fs.FeatureView):
    """Where a flight is bound for. Puerto Rico and the Virgin Islands are not on this list."""

    source = fs.parquet("data/airports.parquet")
    owner = fs.Owner("Hana Petrova, fleet data", "fleet-data@example.com")
    purpose = "Thin air at high fields and the winters of the north make arrivals late, whatever New York is like."
    schedule = "@monthly"
    start = FIRST_DAY
    tags = ("destination",)

    airport = fs.Entity(fs.String()).describe("The airport, by its FAA code.")

    altitude = fs.Float64().bounds(-1000, 15_000).describe("How high it lies, feet above the sea.")
    lat = fs.Float64().bounds(-90, 90).describe("Its latitude, degrees north.")
    lon = fs.Float64().bounds(-180, 180).describe("Its longitude, degrees east.")

    is_high = (altitude > 5000).describe("Denver and above: thin air, mountain weather.")


class Flights(fs.FeatureView):
    """Every flight out of New York, as it stands in the timetable; and, once it is over, how late it landed."""

    source = fs.parquet("data/flights.parquet")
    owner = fs.Owner("Joaquín Reyes, schedule planning", "schedule@example.com")
    purpose = "The timetable itself decides much: evening flights inherit the delays of the day."
    schedule = "@monthly"
    start = FIRST_DAY
    tags = ("timetable",)

    flight = fs.Entity(fs.String()).describe("Airline and number, airport and day: UA1545-EWR-20130101.")
    scheduled_departure = fs.EventTime().describe("When it is to leave, as the timetable has it.")

    carrier = fs.String().required().describe("The airline's two-letter code.")
    origin = fs.Category().accepted_values(["EWR", "JFK", "LGA"]).describe("The airport of departure.")
    dest = fs.String().required().describe("The airport of arrival, by its FAA code.")
    distance = fs.Float64().lower_bound(0).required().describe("How far it flies, miles.")
    arr_delay = (
        fs.Float64()
        .bounds(-180, 1440)
        .describe("How late it landed, minutes. What we predict: unknown before it lands, so never an input.")
    )

    scheduled_hour = scheduled_departure.hour(NEW_YORK).describe("The hour of its departure on New York's clocks.")
    day_of_week = scheduled_departure.weekday(NEW_YORK).describe("1 for Monday to 7 for Sunday, in New York.")
    is_evening = (scheduled_hour >= 17).describe("Its aircraft has been flying all day, and has met all its delays.")


class AtTheGate(fs.OnDemandView):
    """What the hour and what is known elsewhere say together: worked out when somebody asks, and stored nowhere."""

    owner = fs.Owner("Joaquín Reyes, schedule planning", "schedule@example.com")
    purpose = "Frost matters to the first departures, a bad day to a quiet route: neither source knows it alone."
    tags = ("departure", "punctuality")

    scheduled_departure = fs.Timestamp().request().describe("When the flight is to leave: the asker knows.")

    first_wave = (scheduled_departure.hour(NEW_YORK) < 8).describe(
        "It leaves before eight: its aircraft has stood outside overnight."
    )
    cold_start = (first_wave & HourlyWeather.is_freezing).describe(
        "Frost after a night outside: all of them queue for de-icing at once."
    )
    behind_usual = (CarrierDelay.delay_mean_6h - RouteDelay.delay_mean_30d).describe(
        "How much later the airline lands today than this route does in a month, minutes."
    )


class FlightDelay(fs.FeatureService):
    """Will this flight land more than 15 minutes late? Asked at its scheduled departure."""

    owner = fs.Owner("Leila Haddad, passenger care", "passenger-care@example.com")
    purpose = (
        "Passengers with a tight connection are booked onto a later one before they leave, not after they miss it."
    )
    tags = ("punctuality",)

    features = (
        Flights.carrier,
        Flights.origin,
        Flights.dest,
        Flights.distance,
        Flights.scheduled_hour,
        Flights.day_of_week,
        Flights.is_evening,
        HourlyWeather.temp,
        HourlyWeather.wind_speed,
        HourlyWeather.wind_mean_6h,
        HourlyWeather.visib,
        HourlyWeather.precip,
        HourlyWeather.precip_sum_6h,
        HourlyWeather.is_freezing,
        HourlyWeather.gusty,
        CarrierDelay.delay_mean_6h,
        CarrierDelay.delay_mean_7d,
        CarrierDelay.delay_mean_30d,
        CarrierDelay.late_share_7d,
        CarrierDelay.flights_7d,
        RouteDelay.delay_mean_7d,
        RouteDelay.delay_mean_30d,
        RouteDelay.flights_30d,
        RouteDelay.late_share_10,
        Plane.seats,
        Plane.engines,
        Plane.age,
        Plane.maker,
        Airport.altitude,
        Airport.lat,
        Airport.lon,
        AtTheGate.first_wave,
        AtTheGate.cold_start,
        AtTheGate.behind_usual,
    )
    target = Flights.arr_delay > 15
