using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;

namespace MPSec.Features.Kernel;

/// <summary>One thing that was tried in the virtual machine.</summary>
/// <param name="Name">What.</param>
/// <param name="Passed">It worked.</param>
/// <param name="Detail">What the kernel said.</param>
public sealed record KernelProofCheck(string Name, bool Passed, string Detail);

/// <summary>What a kernel showed in a virtual machine.</summary>
/// <param name="Expected">Release that was started.</param>
/// <param name="Accelerator">kvm, or tcg where the processor's own help does not work: it proves the same and is slower.</param>
/// <param name="Checks">What was tried, in order.</param>
/// <param name="Seconds">How long the machine ran.</param>
public sealed partial record KernelProof(string Expected, string Accelerator, ImmutableArray<KernelProofCheck> Checks, double Seconds)
{
    /// <summary>Two paths must carry so many times what one carries; both have the same rate.</summary>
    public const double LeastGain = 1.5;

    private static readonly string[] s_needed = ["boot", "mptcp", "limits", "endpoint", "rules", "esp", "netem", "veth", "tbf", "end"];

    /// <summary>SHA-256 of the package that the kernel came from, hexadecimal; null when it was an installed one.</summary>
    public string? Sha256 { get; init; }

    /// <summary>How many options were promised; 0 when none were.</summary>
    public int Promised { get; init; }

    /// <summary>Release that the kernel told; null when it did not come so far.</summary>
    public string? Release => Checks.FirstOrDefault(c => c.Name == "boot")?.Detail;

    /// <summary>What TCP carried over one path of 20 Mbit/s; null when nothing.</summary>
    public double? OnePathMbit => Rate("one path");

    /// <summary>What Multipath TCP carried over two such paths; null when nothing.</summary>
    public double? TwoPathsMbit => Rate("two paths");

    /// <summary>Subflows that joined in that transfer.</summary>
    public long Joins => long.TryParse(Checks.FirstOrDefault(c => c.Name == "joins")?.Detail, NumberStyles.None, CultureInfo.InvariantCulture, out var joins) ? joins : 0;

    /// <summary>What is wrong, one sentence each; empty when the kernel is proved.</summary>
    public ImmutableArray<string> Faults
    {
        get
        {
            var faults = ImmutableArray.CreateBuilder<string>();
            foreach (var name in s_needed)
            {
                if (Checks.FirstOrDefault(c => c.Name == name) is not { } check)
                {
                    faults.Add(name == "end" ? "the machine ended before all was tried" : $"{name}: was not told");
                }
                else if (!check.Passed)
                {
                    faults.Add($"{name}: {check.Detail}");
                }
            }

            faults.AddRange(Checks.Where(c => !c.Passed && c.Name.StartsWith("option ", StringComparison.Ordinal)).Select(c => $"{c.Name}: {c.Detail}"));
            if (Promised > 0 && Checks.All(c => c.Name != "options"))
            {
                faults.Add("options: what was promised could not be compared");
            }

            if (Release is { } release && release != Expected)
            {
                faults.Add($"boot: the kernel calls itself {release}, not {Expected}");
            }

            if (OnePathMbit is not { } one || TwoPathsMbit is not { } two)
            {
                faults.Add("transfer: nothing was carried");
            }
            else if (two < LeastGain * one || Joins == 0)
            {
                faults.Add(string.Create(CultureInfo.InvariantCulture, $"transfer: two paths carried {two:0.0} Mbit/s, one {one:0.0}, {Joins} subflows joined"));
            }

            return faults.ToImmutable();
        }
    }

    /// <summary>Everything that MPSec needs was seen to work.</summary>
    public bool Passed => Faults.IsEmpty;

    /// <summary>Takes a result off a line of the console; null when it holds none. The console may mix lines of the kernel into it.</summary>
    public static KernelProofCheck? Parse(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        var clean = Escape().Replace(line, "").Replace("\r", "", StringComparison.Ordinal);
        return clean.IndexOf(KernelProofImage.Mark, StringComparison.Ordinal) is >= 0 and var at && clean[(at + KernelProofImage.Mark.Length)..].Split('|', 3) is [var name, "ok" or "fail", var detail]
            ? new(name, clean[(at + KernelProofImage.Mark.Length)..].Split('|')[1] == "ok", string.Concat(detail.Where(c => !char.IsControl(c))).Trim())
            : null;
    }

    private double? Rate(string name) => Checks.FirstOrDefault(c => c.Name == name) is { } check && Mbit().Match(check.Detail) is { Success: true } found
        ? double.Parse(found.Groups[1].Value, CultureInfo.InvariantCulture) : null;

    [GeneratedRegex("\u001b(\\[[0-9;?=]*[A-Za-z]|c)")]
    private static partial Regex Escape();

    [GeneratedRegex("([0-9.]+) Mbits/sec")]
    private static partial Regex Mbit();
}
