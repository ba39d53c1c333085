using System.Collections.Immutable;
using System.Globalization;
using MPSec.Changes;
using MPSec.Linux.Values;

namespace MPSec.Features.Network;

/// <summary>Where a setting stands on the page.</summary>
public enum MptcpSettingGroup
{
    /// <summary>Whether MPTCP is spoken.</summary>
    State,

    /// <summary>Path manager and scheduler.</summary>
    PathManager,

    /// <summary>Congestion control, reordering, receive buffer.</summary>
    Congestion,

    /// <summary>The rest.</summary>
    Advanced,
}

/// <summary>What a value looks like.</summary>
public enum MptcpSettingKind
{
    /// <summary>0 or 1.</summary>
    Toggle,

    /// <summary>A whole number from <see cref="MptcpSetting.Minimum"/> to <see cref="MptcpSetting.Maximum"/>.</summary>
    Number,

    /// <summary>One of the names that this kernel offers.</summary>
    Name,

    /// <summary>Three whole numbers that do not fall: least, usual, most.</summary>
    Triple,

    /// <summary>Words that the kernel judges.</summary>
    Words,
}

/// <summary>
/// What MPSec knows about a kernel setting. Its sentences are texts: <c>Set_</c> and <c>Caveat_</c> with the name, dots as underscores. Ranges are those of
/// net/mptcp/ctrl.c and net/ipv4/sysctl_net_ipv4.c; a kernel that is stricter refuses with its own reason.
/// </summary>
/// <param name="Name">Dotted name.</param>
/// <param name="Group">Where it stands.</param>
/// <param name="Kind">What a value looks like.</param>
/// <param name="Default">Default of the kernel without a distribution's changes; null when it depends on the machine.</param>
/// <param name="Since">Kernel version that brought it.</param>
public sealed record MptcpSetting(string Name, MptcpSettingGroup Group, MptcpSettingKind Kind, string? Default, string Since)
{
    /// <summary>Least number.</summary>
    public long Minimum { get; init; }

    /// <summary>Largest number.</summary>
    public long Maximum { get; init; } = int.MaxValue;

    /// <summary>Unit of the number: s, ms, us (microseconds), ns, bytes, segments, times; null for none.</summary>
    public string? Unit { get; init; }

    /// <summary>Setting that lists the names to choose from.</summary>
    public string? ChoicesFrom { get; init; }

    /// <summary>Names to choose from where the kernel lists none.</summary>
    public ImmutableArray<string> Choices { get; init; } = [];

    /// <summary>Lists something; nobody writes it.</summary>
    public bool IsReadOnly { get; init; }

    /// <summary>Whether there is a second sentence of warning.</summary>
    public bool HasCaveat { get; init; }

    /// <summary>Whether a connection keeps the value that it began with.</summary>
    public bool IsForNewConnections { get; init; }

    /// <summary>The name as part of a text's key.</summary>
    public string TextKey => Name.Replace('.', '_');

    /// <summary>Range or shape of a value without its unit: <c>0–255</c>.</summary>
    public string Range => Kind switch
    {
        MptcpSettingKind.Toggle => "0, 1",
        MptcpSettingKind.Number => $"{Minimum}–{Maximum}",
        MptcpSettingKind.Triple => $"3 × 1–{Maximum}",
        _ => string.Join(", ", Choices),
    };

    /// <summary>The value as the kernel shows it: one space between its parts.</summary>
    public static string Normal(string? value) => string.Join(' ', (value ?? "").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    /// <summary>Checks a value before anything is asked of the kernel.</summary>
    /// <param name="value">As typed; white space around it does not matter.</param>
    /// <param name="choices">Names that this kernel offers; empty when it lists none.</param>
    /// <returns>The value to write.</returns>
    /// <exception cref="ChangeException">One sentence that names the setting and what it takes (<see cref="ChangeFault.Invalid"/>).</exception>
    public string Check(string? value, IReadOnlyList<string> choices)
    {
        ArgumentNullException.ThrowIfNull(choices);
        var text = Normal(value);
        var fault = IsReadOnly ? "only lists what there is; it cannot be written" : Kind switch
        {
            MptcpSettingKind.Toggle => text is "0" or "1" ? null : "must be 0 or 1",
            MptcpSettingKind.Number => IsNumber(text, Minimum, Maximum) ? null : $"must be a whole number from {Minimum} to {Maximum}",
            MptcpSettingKind.Triple => FaultOfTriple(text),
            MptcpSettingKind.Name when choices.Count > 0 => choices.Contains(text) ? null : $"must be one of {string.Join(", ", choices)}",
            MptcpSettingKind.Name => text.Length is > 0 and < 16 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-') ? null : "must be a name of 1 to 15 letters, digits, _ and -",
            _ => IsPlain(text) ? null : "must be one line of 1 to 1,000 printable ASCII characters",
        };
        return fault is null ? text : throw new ChangeException(ChangeFault.Invalid, $"{Name}: {fault}");
    }

    /// <summary>Whether the text could be a value of any setting.</summary>
    public static bool IsPlain(string text) => text is { Length: > 0 and <= 1000 } && text.All(c => c is >= ' ' and <= '~');

    /// <summary>The setting's name as a key of the door.</summary>
    public SysctlKey Key => SysctlKey.Parse(Name);

    private string? FaultOfTriple(string text)
    {
        var parts = text.Split(' ');
        return parts.Length != 3 || !parts.All(p => IsNumber(p, 1, Maximum)) ? $"must be three whole numbers from 1 to {Maximum}: least, usual and most {Unit}"
            : Parse(parts[0]) <= Parse(parts[1]) && Parse(parts[1]) <= Parse(parts[2]) ? null
            : "the three numbers must not fall: least, usual, most";
    }

    private static long Parse(string text) => long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);

    private static bool IsNumber(string text, long least, long most) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most;
}
