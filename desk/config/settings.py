"""Settings from the environment. No other module of the desk reads environment variables.

A variable takes precedence over a file of its name in the folder RAYDESK_SECRETS_DIR.
"""

import os
from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from desk.config.kinds import CONNECTORS
from desk.config.values import one_of
from desk.model.errors import PlanError


class Settings(BaseSettings):
    """Values of environment variables and of secrets files; an attribute is its variable's name in lower case.

    The desk's own variables have the prefix RAYDESK_. `num_consumers`: None = not set, 0 = follows the load. Secrets
    are printed as asterisks.
    """

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    num_consumers: int | None = Field(default=None, ge=0, description="a whole number ≥ 0 (0 = follows the load)")
    data_connector: Annotated[str, one_of(CONNECTORS)] | None = Field(
        default=None, description=" or ".join(f'"{name}"' for name in CONNECTORS)
    )
    alpaca_api_key: SecretStr | None = Field(default=None, description="text")
    alpaca_secret_key: SecretStr | None = Field(default=None, description="text")
    polygon_api_key: SecretStr | None = Field(default=None, description="text")
    ledger_password: SecretStr | None = Field(
        default=None, validation_alias=AliasChoices("RAYDESK_LEDGER_PASSWORD", "LEDGER_PASSWORD"), description="text"
    )
    venue_key: SecretStr | None = Field(default=None, validation_alias="RAYDESK_VENUE_KEY", description="text")
    venue_secret: SecretStr | None = Field(default=None, validation_alias="RAYDESK_VENUE_SECRET", description="text")
    trace_sample: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        validation_alias="RAYDESK_TRACE_SAMPLE",
        description="a number from 0 to 1",
    )
    runs_dir: Path = Field(
        default=Path("runs"),
        validation_alias="RAYDESK_RUNS_DIR",
        description="the folder for run folders",
    )
    state_dir: Path | None = Field(
        default=None,
        validation_alias="RAYDESK_STATE_DIR",
        description="the folder for files kept between runs",
    )
    xdg_state_home: Path | None = Field(default=None, description="the parent of the default state folder")
    cache_dir: Path | None = Field(
        default=None,
        validation_alias="RAYDESK_CACHE_DIR",
        description="the folder for what can be fetched again",
    )
    xdg_cache_home: Path | None = Field(default=None, description="the parent of the default cache folder")
    data_dir: Path | None = Field(
        default=None, validation_alias="RAYDESK_DATA_DIR", description="the folder of downloaded history"
    )
    xdg_data_home: Path | None = Field(default=None, description="the parent of the default folder of history")
    state_key: SecretStr | None = Field(default=None, validation_alias="RAYDESK_STATE_KEY", description="text")

    def secrets(self) -> dict[str, SecretStr]:
        """The secrets that are set, by attribute name."""
        return {name: value for name, value in self if isinstance(value, SecretStr)}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Precedence: arguments, environment, secrets files. No dotenv file is read."""
        _ = dotenv_settings, file_secret_settings
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_folder())


def load_settings() -> Settings:
    """The settings of this process. Raises PlanError for an invalid value."""
    try:
        return Settings()
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        variable = str(details["loc"][0]).upper()
        raise PlanError(
            f"environment, {variable}",
            f"`{details['input']}`",
            _description(variable),
            "Correct it, or unset the variable.",
        ) from None


def named_secret(name: str) -> SecretStr | None:
    """The secret in the variable that a plan names, or in the secrets file of that name; None if it is not set."""
    value = os.environ.get(name, "")
    folder = None if value else secrets_folder()
    if folder and (file := Path(folder, name)).is_file():
        value = file.read_text("utf-8").strip()
    return SecretStr(value) if value else None


def _description(variable: str) -> str:
    fields = {str(field.validation_alias or name).upper(): field for name, field in Settings.model_fields.items()}
    return fields[variable].description or ""


def secrets_folder() -> str | None:
    """The value of RAYDESK_SECRETS_DIR; None if unset. Raises PlanError if it is not a folder."""
    folder = os.environ.get("RAYDESK_SECRETS_DIR")
    if folder and not Path(folder).is_dir():
        raise PlanError(
            "environment, RAYDESK_SECRETS_DIR",
            f"`{folder}`, which is not a folder",
            "a folder of files, each with the name of a variable",
            "Create the folder, or unset the variable.",
        )
    return folder or None
