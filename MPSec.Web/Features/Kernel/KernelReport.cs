using System.Collections.Immutable;

namespace MPSec.Features.Kernel;

/// <summary>How a feature stands.</summary>
public enum KernelFeatureState
{
    /// <summary>It was tried, or the kernel shows it.</summary>
    Works,

    /// <summary>The kernel has it; nothing tried it.</summary>
    Ready,

    /// <summary>A module has it that is not loaded.</summary>
    ModuleNotLoaded,

    /// <summary>It is there and switched off.</summary>
    SwitchedOff,

    /// <summary>It was tried and the kernel refused.</summary>
    Refused,

    /// <summary>This kernel was compiled without it.</summary>
    NotCompiled,

    /// <summary>It came with a newer kernel.</summary>
    TooOld,

    /// <summary>The other Multipath TCP has it.</summary>
    OtherFlavour,

    /// <summary>Nothing tells.</summary>
    Unknown,
}

/// <summary>The shortest way to Multipath TCP.</summary>
public enum KernelRoad
{
    /// <summary>It runs.</summary>
    Nothing,

    /// <summary>Switch it on.</summary>
    Enable,

    /// <summary>Install a kernel of the distribution, and restart.</summary>
    Package,

    /// <summary>Build a kernel.</summary>
    Build,
}

/// <summary>A line of the report.</summary>
/// <param name="Key">Name of the feature.</param>
/// <param name="Since">First version that has it.</param>
/// <param name="Option">The option that brings it, with CONFIG_.</param>
/// <param name="IsNeeded">MPSec uses it.</param>
/// <param name="State">How it stands.</param>
/// <param name="Evidence">What was seen: options, settings, modules, trials.</param>
/// <param name="Remedy">What would bring it, as a code with <paramref name="RemedyArgument"/>: load, enable, build, newer, upstream, out-of-tree; null when nothing is to be done.</param>
/// <param name="RemedyArgument">Module, setting, option or version.</param>
public sealed record KernelFeatureLine(
    string Key, string Since, string Option, bool IsNeeded, KernelFeatureState State, ImmutableArray<string> Evidence, string? Remedy, string? RemedyArgument)
{
    /// <summary>Whether it can be used, be it after loading a module.</summary>
    public bool IsThere => State is KernelFeatureState.Works or KernelFeatureState.Ready or KernelFeatureState.ModuleNotLoaded;
}

/// <summary>What the running kernel can and cannot do.</summary>
/// <param name="Release">As <c>uname -r</c> prints it.</param>
/// <param name="Distribution">Name of the distribution.</param>
/// <param name="ConfigSource">The file that told the options; null when none did.</param>
/// <param name="Flavour">Whose Multipath TCP.</param>
/// <param name="IsEnabled">Whether it is switched on; null when there is none.</param>
/// <param name="Road">The shortest way to Multipath TCP.</param>
/// <param name="Package">The package of <see cref="KernelRoad.Package"/>.</param>
/// <param name="Features">Every feature.</param>
public sealed record KernelReport(
    string? Release, string? Distribution, string? ConfigSource, KernelFlavour Flavour, bool? IsEnabled, KernelRoad Road, KernelPackage? Package, ImmutableArray<KernelFeatureLine> Features)
{
    private static readonly Version s_first = new(5, 6);

    /// <summary>What MPSec uses and this kernel lacks.</summary>
    public IEnumerable<KernelFeatureLine> Missing => Features.Where(f => f.IsNeeded && !f.IsThere && f.State is not (KernelFeatureState.OtherFlavour or KernelFeatureState.SwitchedOff));

    /// <summary>Key of the verdict in the texts.</summary>
    public string Verdict => (Flavour, Road) switch
    {
        (KernelFlavour.None, KernelRoad.Package) => "none-package",
        (KernelFlavour.None, _) => "none-build",
        (KernelFlavour.OutOfTree, KernelRoad.Nothing) => "out-of-tree-on",
        (KernelFlavour.OutOfTree, _) => "out-of-tree-off",
        (_, KernelRoad.Enable) => "off",
        _ => Missing.Any() ? "on-missing" : "on",
    };

    /// <summary>Judges the facts.</summary>
    public static KernelReport Of(KernelFacts facts)
    {
        ArgumentNullException.ThrowIfNull(facts);
        // Old enough releases offer kernels that are too old.
        var package = facts.Packages.Where(p => KernelFacts.VersionOf(p.Version) is { } v && v >= s_first).MaxBy(p => KernelFacts.VersionOf(p.Version));
        var road = facts.Flavour != KernelFlavour.None ? facts.IsEnabled == false ? KernelRoad.Enable : KernelRoad.Nothing
            : package is not null ? KernelRoad.Package
            : KernelRoad.Build;
        return new(facts.Release, facts.Distribution, facts.Config?.Source, facts.Flavour, facts.IsEnabled, road, road == KernelRoad.Package ? package : null,
            [.. KernelFeatureTable.All.Select(f => Line(f, facts))]);
    }

    private static KernelFeatureLine Line(KernelFeature feature, KernelFacts facts)
    {
        var evidence = Evidence(feature, facts);
        var state = State(feature, facts);
        var (remedy, argument) = state switch
        {
            KernelFeatureState.ModuleNotLoaded => ("load", feature.Module),
            KernelFeatureState.SwitchedOff => ("enable", feature.Setting),
            KernelFeatureState.NotCompiled => ("build", "CONFIG_" + feature.Option),
            KernelFeatureState.TooOld => ("newer", feature.Since),
            KernelFeatureState.OtherFlavour => (feature.Flavour == KernelFlavour.OutOfTree ? "out-of-tree" : "upstream", feature.Since),
            _ => ((string?)null, (string?)null),
        };
        return new(feature.Key, feature.Since, "CONFIG_" + feature.Option, feature.IsNeeded, state, evidence, remedy, argument);
    }

    private static KernelFeatureState State(KernelFeature feature, KernelFacts facts)
    {
        if (feature.Flavour is { } flavour && flavour != facts.Flavour && (facts.Flavour != KernelFlavour.None || flavour == KernelFlavour.OutOfTree))
        {
            return KernelFeatureState.OtherFlavour;
        }

        if (feature.OffValue is not null && facts.Setting(feature.Setting)?.Value == feature.OffValue)
        {
            return KernelFeatureState.SwitchedOff;
        }

        // Without Multipath TCP in it, the release alone promises nothing.
        var tooOld = feature.Flavour != KernelFlavour.OutOfTree && facts.Version is { } version && version < Version.Parse(feature.Since);
        if (facts.Trials.GetValueOrDefault(feature.Key)?.Worked is { } worked)
        {
            return worked ? KernelFeatureState.Works : tooOld ? KernelFeatureState.TooOld : facts.Config is { } c && c[feature.Option] is null ? KernelFeatureState.NotCompiled : KernelFeatureState.Refused;
        }

        if (feature.Setting is not null && facts.Setting(feature.Setting) is not null
            || feature.CongestionControl is { } control && facts.CongestionControls.Contains(control)
            || feature.Key == "btf" && facts.HasBtf)
        {
            return KernelFeatureState.Works;
        }

        if (tooOld)
        {
            return KernelFeatureState.TooOld;
        }

        var module = feature.Module is null ? ModuleState.Absent : facts.Modules[feature.Module];
        return module == ModuleState.Present ? KernelFeatureState.Ready
            : module == ModuleState.OnDisk ? KernelFeatureState.ModuleNotLoaded
            : (facts.Config, facts.Config?[feature.Option]) switch
            {
                (null, _) => KernelFeatureState.Unknown,
                (_, null) => KernelFeatureState.NotCompiled,
                (_, "m") => KernelFeatureState.ModuleNotLoaded,
                _ => feature.Setting is null ? KernelFeatureState.Ready : KernelFeatureState.Unknown,
            };
    }

    private static ImmutableArray<string> Evidence(KernelFeature feature, KernelFacts facts)
    {
        var seen = ImmutableArray.CreateBuilder<string>();
        if (facts.Config is { } config)
        {
            seen.Add(config[feature.Option] is { } value ? $"CONFIG_{feature.Option}={value} ({config.Source})" : $"# CONFIG_{feature.Option} is not set ({config.Source})");
        }

        if (facts.Setting(feature.Setting) is { } setting)
        {
            seen.Add($"{setting.Name} = {setting.Value ?? "?"}");
        }

        if (feature.Module is { } module && (facts.Modules[module] != ModuleState.Absent || facts.Config?[feature.Option] == "m"))
        {
            seen.Add(facts.Modules[module] switch
            {
                ModuleState.Present => $"module {module}: loaded or built in",
                ModuleState.OnDisk => $"module {module}: on disk, not loaded",
                _ => $"module {module}: not on disk",
            });
        }

        if (feature.CongestionControl is not null)
        {
            seen.Add($"tcp_available_congestion_control: {string.Join(' ', facts.CongestionControls)}");
        }

        if (feature.Key == "btf" && facts.HasBtf)
        {
            seen.Add("/sys/kernel/btf/vmlinux");
        }

        if (facts.Trials.GetValueOrDefault(feature.Key) is { } trial)
        {
            seen.Add(trial.Evidence);
        }

        return seen.ToImmutable();
    }
}
