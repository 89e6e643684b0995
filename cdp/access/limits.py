"""Whose limits are whose: `cdp.limits` by kind of viewer."""

from dataclasses import dataclass

from cdp.access.viewer import Scope, Tool, Viewer
from cdp.limits import ADMIN, MEMBER, TOOL, Limits, read_limits
from cdp.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerLimits:
    """The limits of each kind of viewer."""

    admin: Limits = ADMIN
    tool: Limits = TOOL
    member: Limits = MEMBER

    def of(self, viewer: Viewer) -> Limits:
        """The viewer's limits; nobody's are a member's."""
        if not isinstance(viewer, Tool):
            return self.member
        return self.admin if Scope.ADMIN in viewer.scopes else self.tool

    @property
    def longest_seconds(self) -> int:
        """The most that a statement may take, whoever asks."""
        return max(self.admin.seconds, self.tool.seconds, self.member.seconds)


def limits_of(settings: Settings) -> ViewerLimits:
    """The limits that the settings name."""
    return ViewerLimits(
        admin=read_limits(settings.limits_admin, ADMIN),
        tool=read_limits(settings.limits_tool, TOOL),
        member=read_limits(settings.limits_member, MEMBER),
    )
