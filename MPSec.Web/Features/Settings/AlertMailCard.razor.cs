using System.Data.Common;
using System.Globalization;
using Microsoft.AspNetCore.Components;
using MPSec.Changes;
using MPSec.Components.Controls;

namespace MPSec.Features.Settings;

/// <summary>The mail server that alerts are sent by; administrators only. The password goes to the server and never comes back.</summary>
public sealed partial class AlertMailCard(AlertMail mail)
{
    private string? _target;
    private string _host = "";
    private string _port = "587";
    private MailSecurity _security = MailSecurity.StartTls;
    private string _user = "";
    private string _password = "";
    private string _from = "";
    private string _to = "";
    private string? _problem;
    private string? _result;
    private bool _taken;
    private bool _busy;

    /// <summary>Who looks at the page.</summary>
    [Parameter, EditorRequired]
    public required ChangeActor Actor { get; set; }

    private IReadOnlyList<SegmentChoice<MailSecurity>> Securities => [.. Enum.GetValues<MailSecurity>().Select(s => new SegmentChoice<MailSecurity>(s, L[$"MailSecurity_{s}"]))];

    /// <inheritdoc/>
    protected override void OnInitialized() => Load();

    private void Load()
    {
        (_target, _password) = (mail.Target, "");
        if (mail.Settings is { } s)
        {
            (_host, _port, _security, _user, _from, _to) = (s.Host ?? "", s.Port.ToString(CultureInfo.InvariantCulture), s.Security, s.User ?? "", s.From ?? "", s.To ?? "");
        }
    }

    private Task SaveAsync() => TryAsync(async () =>
    {
        var port = int.TryParse(_port, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
        await mail.SetAsync(new(_host.Trim(), port, _security, _user, _password, _from.Trim(), _to.Trim()), Actor);
        Load();
        (_taken, _result) = (true, L["MailSaved"]);
    });

    private Task RemoveAsync() => TryAsync(async () =>
    {
        await mail.SetAsync(null, Actor);
        Load();
        (_taken, _result) = (true, L["MailRemoved"]);
    });

    private Task TestAsync() => TryAsync(async () =>
    {
        var problem = await mail.TestAsync(Actor);
        (_taken, _result) = (problem is null, problem is null ? L["HookTaken", _target!] : L["HookRefused", _target!, problem]);
    });

    private async Task TryAsync(Func<Task> act)
    {
        (_busy, _problem, _result) = (true, null, null);
        try
        {
            await act();
        }
        catch (Exception e) when (e is ChangeException or DbException or IOException or UnauthorizedAccessException)
        {
            _problem = Said.Of(e.Message);
        }
        finally
        {
            _busy = false;
        }
    }
}
