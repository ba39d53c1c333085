using System.Reflection;

namespace MPSec.Features.Settings;

/// <summary>What this build of MPSec is.</summary>
public static class AboutFacts
{
    /// <summary>Version, for example 0.1.0.</summary>
    public static string Version { get; } = (typeof(AboutFacts).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0").Split('+')[0];

    /// <summary>Commit that it was built from, 12 digits; null when the build did not know it.</summary>
    public static string? Commit { get; } = typeof(AboutFacts).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+') is [_, { Length: >= 12 } commit, ..] ? commit[..12] : null;
}
