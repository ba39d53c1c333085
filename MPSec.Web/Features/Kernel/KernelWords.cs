using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;

namespace MPSec.Features.Kernel;

/// <summary>Says a report in words; <paramref name="text"/> brings the text of a key with its arguments.</summary>
public sealed class KernelWords(Func<string, object[], string> text)
{
    /// <summary>In the language of the reader.</summary>
    public static KernelWords Of(IStringLocalizer<KernelTexts> texts) => new((key, arguments) => texts[key, arguments]);

    /// <summary>The verdict in one sentence.</summary>
    public string Verdict(KernelReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        return text($"Verdict_{report.Verdict}", [report.Release ?? Figures.Missing, Missing(report)]);
    }

    /// <summary>The shortest way in one sentence.</summary>
    public string Road(KernelReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        // What is missing besides does not change the way to Multipath TCP, but it is no "nothing" either.
        return report.Road == KernelRoad.Nothing && report.Missing.Any() ? text("Road_Missing", [string.Join(", ", report.Missing.Select(f => f.Option).Distinct())]) : text($"Road_{report.Road}", report switch
        {
            { Road: KernelRoad.Enable } => [report.Flavour == KernelFlavour.OutOfTree ? "sysctl -w net.mptcp.mptcp_enabled=1" : "sysctl -w net.mptcp.enabled=1"],
            { Package: { } package } => [package.Name, package.Version],
            _ => [],
        });
    }

    /// <summary>Names of what is needed and missing; empty when nothing is.</summary>
    public string Missing(KernelReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        return string.Join(", ", report.Missing.Select(Name));
    }

    /// <summary>Whose Multipath TCP, and whether it is switched on.</summary>
    public string Flavour(KernelReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var flavour = text($"Flavour_{report.Flavour}", []);
        return report.Flavour == KernelFlavour.None ? flavour
            : flavour + ", " + text($"Switch_{report.IsEnabled switch { true => "on", false => "off", null => "unknown" }}", []);
    }

    /// <summary>Name of a feature.</summary>
    public string Name(KernelFeatureLine line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return text($"Feature_{line.Key}", []);
    }

    /// <summary>What a feature is good for.</summary>
    public string Gives(KernelFeatureLine line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return text($"Gives_{line.Key}", []);
    }

    /// <summary>How a feature stands.</summary>
    public string State(KernelFeatureLine line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return text($"State_{line.State}", []);
    }

    /// <summary>What would bring a feature; null when nothing is to be done.</summary>
    public string? Remedy(KernelFeatureLine line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return line.Remedy is null ? null : text($"Remedy_{line.Remedy}", [line.RemedyArgument ?? ""]);
    }
}
