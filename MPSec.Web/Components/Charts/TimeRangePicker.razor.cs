using System.Globalization;
using Microsoft.AspNetCore.Components;

namespace MPSec.Components.Charts;

/// <summary>Chooses what time a chart shows: live, the last so long, or a range of one's own in the server's time zone.</summary>
public sealed partial class TimeRangePicker(TimeProvider time)
{
    private TimeRange? _taken;
    private DateTime _from;
    private DateTime _to;
    private bool _wrong;

    /// <summary>The range.</summary>
    [Parameter, EditorRequired]
    public required TimeRange Value { get; set; }

    /// <summary>Another one was chosen.</summary>
    [Parameter]
    public EventCallback<TimeRange> ValueChanged { get; set; }

    /// <summary>More classes.</summary>
    [Parameter]
    public string? Class { get; set; }

    private string Shown => Value.From is { } from
        ? string.Create(CultureInfo.InvariantCulture, $"{from.ToLocalTime():MM-dd HH:mm} – {(from + Value.Window).ToLocalTime():MM-dd HH:mm}")
        : L[$"Range_{Value.Text}"];

    /// <inheritdoc/>
    protected override void OnParametersSet()
    {
        // The chart around it is drawn anew each second; what a person is typing stays.
        if (_taken == Value)
        {
            return;
        }

        _taken = Value;
        var (from, to) = Value.At(time.GetUtcNow());
        (_from, _to) = (from.ToLocalTime().DateTime, to.ToLocalTime().DateTime);
    }

    private async Task ApplyAsync()
    {
        var range = TimeRange.Between(new(_from, time.LocalTimeZone.GetUtcOffset(_from)), new(_to, time.LocalTimeZone.GetUtcOffset(_to)));
        _wrong = range is null;
        if (range is not null)
        {
            await ValueChanged.InvokeAsync(range);
        }
    }
}
