"""The `publish` command of `mancard tariff`. What it does is `fare.tariffs.publishing`."""
