using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Rendering;
using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;

namespace MPSec.Features.Multipath;

/// <summary>The paths view: this gateway, one lane per path, the peer. Bed is capacity, fill is throughput, both to one scale.</summary>
public sealed partial class PathsView(IStringLocalizer<MultipathTexts> texts)
{
    /// <summary>What to show.</summary>
    [Parameter, EditorRequired]
    public required PathsSnapshot Paths { get; set; }

    /// <summary>Name of the peer; null when nobody knows it.</summary>
    [Parameter]
    public string? PeerName { get; set; }

    /// <summary>Who took a path down and when, by path name.</summary>
    [Parameter]
    public IReadOnlyDictionary<string, LinkDownNote> DownNotes { get; set; } = new Dictionary<string, LinkDownNote>();

    /// <summary>Why links cannot be switched here; null when they can.</summary>
    [Parameter]
    public string? Locked { get; set; }

    /// <summary>Path that is being changed now.</summary>
    [Parameter]
    public string? Busy { get; set; }

    /// <summary>A link shall go up (true) or down.</summary>
    [Parameter]
    public EventCallback<(string Path, bool Up)> OnLink { get; set; }

    private IStringLocalizer<MultipathTexts> L => texts;

    private LaneGeometry Geometry { get; set; } = new([]);

    private SegmentChoice<bool>[] LinkChoices =>
    [
        new(true, L["IpUp"], "up", Hint: Locked),
        new(false, L["IpDown"], "down", Hint: Locked),
    ];

    private StateKind MptcpKind => Paths.MptcpEnabled switch { true => StateKind.Up, false => StateKind.Off, null => StateKind.Unknown };

    private string MptcpWord => L[Paths.MptcpEnabled switch { true => "MptcpOn", false => "MptcpOff", null => "MptcpMissing" }];

    private string? MptcpHint => Paths.MptcpEnabled switch { true => null, false => L["MptcpOffWhy"].Value, null => L["MptcpMissingWhy"].Value };

    private string PeerWord => PeerName ?? Paths.Lanes.SelectMany(l => l.Peers).FirstOrDefault()?.ToString() ?? L["PeerNone"];

    /// <inheritdoc/>
    protected override void OnParametersSet() => Geometry = new LaneGeometry(Paths.Lanes);

    private static double? Mbit(double? bitsPerSecond) => bitsPerSecond / 1e6;

    private static string Number(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);

    private static StateKind Kind(PathLane lane) => lane.State switch
    {
        PathState.Up => StateKind.Up,
        PathState.Standby => StateKind.Standby,
        PathState.Degraded => StateKind.Degraded,
        PathState.Down => StateKind.Down,
        _ => StateKind.Unknown,
    };

    private static string Css(PathLane lane) =>
        $"{PathBadge.CssOf(lane.Number)} {lane.State switch { PathState.Down => "down", PathState.Unknown => "unknown", _ => lane.IsCarrying ? "carrying" : "idle" }}{(lane.CapacityBitsPerSecond is null ? " nocap" : "")}";

    private string Word(PathLane lane) => L[$"State_{lane.State}"];

    private string? Cause(PathLane lane) => lane.Cause switch
    {
        PathCause.None => null,
        PathCause.SetDown when DownNotes.TryGetValue(lane.Name, out var note) => L["Cause_TakenDown", note.By, Figures.Clock(note.At)].Value,
        _ => L[$"Cause_{lane.Cause}"].Value,
    };

    private string Of(PathLane lane) =>
        lane.CapacityBitsPerSecond is { } capacity ? L["OfCapacity", Figures.Short(capacity / 1e6)] : L["NoCapacity"];

    private string Exact(double? bitsPerSecond) => bitsPerSecond is { } b ? L["ExactBits", b.ToString("N0", CultureInfo.CurrentCulture)] : L["NotYet"];

    private string RateTitle(PathLane lane) => lane.Rate is { } rate
        ? L["RateTitle", Figures.Mbit(rate.TxBitsPerSecond / 1e6), Figures.Mbit(rate.RxBitsPerSecond / 1e6), Figures.Mbit(rate.SumBitsPerSecond / 1e6)]
        : L["NotYet"];

    private RenderFragment Fan(bool mirrored) => builder =>
    {
        builder.OpenElement(0, "svg");
        builder.AddAttribute(1, "class", "fan");
        builder.AddAttribute(2, "width", Number(LaneGeometry.FanWidth));
        builder.AddAttribute(3, "height", Number(Geometry.Height));
        builder.AddAttribute(4, "viewBox", $"0 0 {Number(LaneGeometry.FanWidth)} {Number(Geometry.Height)}");
        builder.AddAttribute(5, "aria-hidden", "true");
        foreach (var (lane, strip) in Paths.Lanes.Zip(Geometry.Strips))
        {
            builder.OpenElement(6, "g");
            builder.SetKey(lane.Name);
            builder.AddAttribute(7, "class", Css(lane));
            Strip(builder, lane, strip, mirrored);
            builder.CloseElement();
        }

        builder.CloseElement();
    };

    private static void Strip(RenderTreeBuilder builder, PathLane lane, LaneStrip strip, bool mirrored)
    {
        if (lane.State == PathState.Down)
        {
            builder.OpenElement(8, "path");
            builder.AddAttribute(9, "class", "dash");
            builder.AddAttribute(10, "d", LaneGeometry.Line(strip, mirrored));
            builder.CloseElement();
            return;
        }

        builder.OpenElement(11, "path");
        builder.AddAttribute(12, "class", "bd");
        builder.AddAttribute(13, "d", LaneGeometry.Fan(strip, strip.Bed, mirrored));
        builder.CloseElement();
        builder.OpenElement(14, "path");
        builder.AddAttribute(15, "class", "us");
        builder.AddAttribute(16, "d", LaneGeometry.Fan(strip, Math.Max(strip.Fill, 1.5), mirrored));
        builder.CloseElement();
    }
}

/// <summary>Who took a link down through MPSec, and when.</summary>
public sealed record LinkDownNote(string By, DateTimeOffset At);
