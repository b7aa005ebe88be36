// The three pages of the stand-in. Each calls the API as Resume Matcher's frontend does: with fetch, on this origin.
(() => {
  const texts = JSON.parse(document.getElementById('texts').textContent);
  const find = (selector, within = document) => within.querySelector(selector);
  const draftKey = 'resume_builder_draft'; // Resume Matcher's own key

  // make returns an element with a text.
  const make = (name, text = '', className = '') => Object.assign(document.createElement(name), { textContent: text, className });

  // call sends one request to the API and returns its answer, or throws the reason.
  async function call(method, path, body) {
    const json = body !== undefined && !(body instanceof FormData);
    const answer = await fetch('/api/v1' + path, {
      method,
      headers: json ? { 'Content-Type': 'application/json' } : {},
      body: json ? JSON.stringify(body) : body,
    });
    const data = await answer.json().catch(() => ({}));
    if (!answer.ok) {
      throw new Error(typeof data.detail === 'string' ? data.detail : texts.failed);
    }
    return data;
  }

  // run does some work with its section's buttons disabled, and says what came of it.
  async function run(section, work) {
    const [alert, state] = [find('[role=alert]', section), find('[role=status]', section)];
    const say = (text, kind) => Object.assign(state, { textContent: text, className: 'state ' + kind, hidden: !text });
    const buttons = section.querySelectorAll('button');
    alert.hidden = true;
    say(texts.running, 'processing');
    buttons.forEach((button) => { button.disabled = true; });
    try {
      say(await work(), 'ready');
    } catch (error) {
      say('', '');
      alert.textContent = error.message || texts.failed;
      alert.hidden = false;
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  }

  const list = async () => (await call('GET', '/resumes/list?include_master=true')).data;
  const nameOf = (resume) => resume.title || resume.filename || resume.resume_id;

  function dashboard() {
    const [upload, section] = [find('#upload'), find('#resumes')];
    const read = async (body) => {
      const answer = await call('POST', '/resumes/upload', body);
      await refresh();
      if (answer.processing_status !== 'ready') throw new Error(texts.upload_failed);
      return texts.upload_done;
    };
    upload.addEventListener('submit', (event) => {
      event.preventDefault();
      run(upload.parentElement, () => read(new FormData(upload)));
    });
    find('#example').hidden = false;
    find('#example').addEventListener('click', () => run(upload.parentElement, () => {
      const form = new FormData();
      form.set('file', new File(['%PDF-1.4'], 'example.pdf', { type: 'application/pdf' }));
      return read(form);
    }));

    function row(resume) {
      const item = make('li');
      const ready = resume.processing_status === 'ready';
      const button = make('button', ready ? texts.analyse : texts.retry);
      button.addEventListener('click', () => run(section, async () => {
        if (ready) return show(await call('POST', '/enrichment/analyze/' + resume.resume_id));
        const answer = await call('POST', `/resumes/${resume.resume_id}/retry-processing`);
        await refresh();
        if (answer.processing_status !== 'ready') throw new Error(texts.upload_failed);
        return texts.upload_done;
      }));
      const status = texts['status_' + resume.processing_status] || resume.processing_status;
      item.append(make('strong', nameOf(resume)), make('p', status, 'state ' + resume.processing_status), button);
      return item;
    }

    function show(analysis) {
      const result = find('.result', section);
      result.replaceChildren(make('h3', analysis.analysis_summary || texts.analysis_nothing));
      const rows = make('ul', '', 'rows');
      for (const one of analysis.items_to_enrich) {
        const item = make('li');
        item.append(make('strong', [one.title, one.subtitle].filter(Boolean).join(' · '), 'wide'), make('p', one.weakness_reason, 'wide'));
        rows.append(item);
      }
      for (const one of analysis.questions) {
        const item = make('li');
        item.append(make('p', one.question, 'wide'));
        rows.append(item);
      }
      result.append(rows);
      result.hidden = false;
      return texts.analysis_done;
    }

    async function refresh() {
      const resumes = await list();
      find('.rows', section).replaceChildren(...resumes.map(row));
      find('.empty', section).hidden = resumes.length > 0;
      section.hidden = false;
    }
    refresh().catch((error) => run(upload.parentElement, () => { throw error; }));
  }

  // fillResumes fills the choice of resumes, and reports whether there are any.
  async function fillResumes(form) {
    const choice = find('select', form);
    const wanted = 'tailored' in choice.dataset;
    const resumes = (await list()).filter((one) => one.processing_status === 'ready' && (!wanted || one.parent_id));
    choice.replaceChildren(...resumes.map((one) => Object.assign(make('option', nameOf(one)), { value: one.resume_id })));
    form.hidden = resumes.length === 0;
    find('.empty', form.parentElement).hidden = resumes.length > 0;
  }

  function tailor() {
    const [form, section] = [find('#tailor'), find('#preview')];
    let pair;
    form.job.value = localStorage.getItem(draftKey) || '';
    form.job.addEventListener('input', () => localStorage.setItem(draftKey, form.job.value));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      run(form.parentElement, async () => {
        const resume = form.resume.value;
        const job = await call('POST', '/jobs/upload', { job_descriptions: [form.job.value], resume_id: resume });
        pair = { resume_id: resume, job_id: job.job_id[0] };
        const { data } = await call('POST', '/resumes/improve/preview', pair);
        Object.assign(pair, { improved_data: data.resume_preview, improvements: data.improvements });
        find('.rows', section).replaceChildren(...data.detailed_changes.map(change), ...data.warnings.map((text) => make('li', text)));
        section.hidden = false;
        find('.next', section).hidden = true;
        return texts.tailor_done;
      });
    });
    find('#confirm').addEventListener('submit', (event) => {
      event.preventDefault();
      run(section, async () => {
        await call('POST', '/resumes/improve/confirm', pair);
        localStorage.removeItem(draftKey);
        find('.next', section).hidden = false;
        return texts.confirm_done;
      });
    });
    fillResumes(form).catch((error) => run(form.parentElement, () => { throw error; }));

    function change(one) {
      const item = make('li');
      item.append(make('strong', texts['change_' + one.field_type] || one.field_type, 'wide'));
      if (one.original_value) item.append(make('del', one.original_value, 'wide'));
      if (one.new_value) item.append(make('ins', one.new_value, 'wide'));
      return item;
    }
  }

  function builder() {
    const [form, section] = [find('#letters'), find('#letter')];
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const { value, textContent } = event.submitter;
      run(form.parentElement, async () => {
        const answer = await call('POST', `/resumes/${form.resume.value}/${value}`);
        const questions = answer.interview_prep && (answer.interview_prep.questions || []);
        find('h2', section).textContent = textContent;
        find('.letter', section).textContent = questions ? questions.map((one) => `${one.question}\n${one.hint}`).join('\n\n') : answer.content;
        section.hidden = false;
        return texts.builder_done;
      });
    });
    fillResumes(form).catch((error) => run(form.parentElement, () => { throw error; }));
  }

  const page = { '#upload': dashboard, '#tailor': tailor, '#letters': builder };
  Object.keys(page).filter((selector) => find(selector)).forEach((selector) => page[selector]());
})();
