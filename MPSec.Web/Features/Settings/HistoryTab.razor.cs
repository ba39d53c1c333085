using System.Data.Common;
using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using MPSec.Changes;
using MPSec.Components.Controls;
using MPSec.Data.History;

namespace MPSec.Features.Settings;

/// <summary>How history stands and how much of it is kept.</summary>
public sealed partial class HistoryTab(HistoryStore store, HistorySettingsService service, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(2);
    private static readonly Field[] s_fields =
    [
        new("SecondsForHours", "h", 1, 168, s => s.SecondsForHours, (s, v) => s with { SecondsForHours = v }),
        new("TenSecondsForHours", "h", 1, 2160, s => s.TenSecondsForHours, (s, v) => s with { TenSecondsForHours = v }),
        new("MinutesForDays", "d", 1, 366, s => s.MinutesForDays, (s, v) => s with { MinutesForDays = v }),
        new("QuarterHoursForDays", "d", 1, 3660, s => s.QuarterHoursForDays, (s, v) => s with { QuarterHoursForDays = v }),
        new("EventsForDays", "d", 1, 366, s => s.EventsForDays, (s, v) => s with { EventsForDays = v }),
        new("MostEvents", "n", 1000, 10_000_000, s => s.MostEvents, (s, v) => s with { MostEvents = v }),
        new("MostMiB", "MiB", 16, 65_536, s => s.MostMiB, (s, v) => s with { MostMiB = v }),
    ];

    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private ITimer? _timer;
    private ExecutionContext? _context;
    private HistoryStatus _status = store.Status;
    private ChangeActor _actor = new("anonymous", ChangeRole.Viewer);
    private string? _problem;
    private bool _saved;
    private bool _busy;

    [CascadingParameter]
    private Task<AuthenticationState>? Authentication { get; set; }

    private HistorySettingsService Service => service;

    private bool IsAdministrator => _actor.Role == ChangeRole.Administrator;

    /// <inheritdoc/>
    public void Dispose() => _timer?.Dispose();

    /// <inheritdoc/>
    protected override async Task OnInitializedAsync()
    {
        _context = ExecutionContext.Capture();
        Load();
        _actor = Authentication is null ? _actor : ChangeActor.Of((await Authentication).User);
        _timer = time.CreateTimer(static self => ((HistoryTab)self!).Look(), this, s_look, s_look);
    }

    // Comes from a thread of the timer; without this context the page would lose its language.
    private void Look() => ExecutionContext.Run(_context!, static self => _ = ((HistoryTab)self!).InvokeAsync(() =>
    {
        ((HistoryTab)self!)._status = ((HistoryTab)self!).Store.Status;
        ((HistoryTab)self!).StateHasChanged();
    }), this);

    private HistoryStore Store => store;

    private void Load()
    {
        foreach (var field in s_fields)
        {
            _values[field.Name] = field.Get(service.Settings).ToString(CultureInfo.InvariantCulture);
        }
    }

    private async Task SaveAsync()
    {
        (_busy, _problem, _saved) = (true, null, false);
        try
        {
            var wanted = service.Settings with { };
            foreach (var field in s_fields)
            {
                if (!int.TryParse(_values[field.Name].Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value < field.Least || value > field.Most)
                {
                    _problem = L["HistoryWrong", L[$"History_{field.Name}"], Figures.Count(field.Least), Figures.Count(field.Most)];
                    return;
                }

                wanted = field.Set(wanted, value);
            }

            await service.SetAsync(wanted, _actor);
            Load();
            _saved = true;
        }
        catch (ChangeException e) when (e.Fault == ChangeFault.Invalid)
        {
            _problem = L["HistoryOrder"]; // each value was in its range
        }
        catch (Exception e) when (e is ChangeException or DbException or IOException or UnauthorizedAccessException)
        {
            _problem = e.Message;
        }
        finally
        {
            _busy = false;
        }
    }

    private sealed record Field(string Name, string Unit, int Least, int Most, Func<HistorySettings, int> Get, Func<HistorySettings, int, HistorySettings> Set);
}
