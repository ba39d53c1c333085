using System.Text.Json.Serialization;

namespace MPSec.Components.Charts;

/// <summary>How a line is drawn.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ChartLine>))]
public enum ChartLine
{
    /// <summary>Solid, with a pale area: transmitted.</summary>
    Area,

    /// <summary>Dashed: received.</summary>
    Dashed,

    /// <summary>Thin and grey: a sum.</summary>
    Thin,

    /// <summary>Solid without area.</summary>
    Solid,
}

/// <summary>A series of a <see cref="LiveChart"/>.</summary>
/// <param name="Name">Word in legend, table and tooltip.</param>
/// <param name="Line">How it is drawn.</param>
/// <param name="PathNumber">Path whose colour it takes; 0 takes the colour of the surrounding element.</param>
public sealed record ChartSeries(string Name, ChartLine Line, int PathNumber = 0);

/// <summary>Whether a chart shows as picture or as table.</summary>
public enum ChartView
{
    /// <summary>The picture.</summary>
    Chart,

    /// <summary>The same data as a table.</summary>
    Table,
}
